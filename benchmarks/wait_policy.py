"""How OpenMP's threads should wait: training speed under each setting, alone and beside other work, in turns.

Each setting trains the default decoder's shape on random data in a process of its own, since OpenMP reads it once.

    python benchmarks/wait_policy.py --rounds 3 --busy 2
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

SETTINGS = {
    "active": {"OMP_WAIT_POLICY": "ACTIVE"},
    "library's default": {},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "spin 100": {"GOMP_SPINCOUNT": "100"},
    "spin 1,000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10,000": {"GOMP_SPINCOUNT": "10000"},
}


def train(threads: int, seconds: float) -> float:
    """Samples a second of a small decoder-like step: products, norms and an optimiser, 256 samples each."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(384, 6, 96, 0.0, activation="gelu", batch_first=True, norm_first=True)
    model = nn.Sequential(layer, nn.Linear(384, 5364))
    optimizer = torch.optim.AdamW(model.parameters())
    x, y = torch.randn(256, 5, 384), torch.randint(5364, (256 * 5,))
    steps, start = -5, 0.0
    while steps <= 0 or time.perf_counter() - start < seconds:
        if steps == 0:
            start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x).flatten(0, 1).float(), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
    return 256 * steps / (time.perf_counter() - start)


def once(name: str, threads: int, seconds: float) -> float:
    """The same in a new process under a setting."""
    clean = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    command = [sys.executable, __file__, "--one", "--threads", str(threads), "--seconds", str(seconds)]
    done = subprocess.run(command, env=clean | SETTINGS[name], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main(rounds: int, busy: int, threads: int, seconds: float, names: list[str]) -> None:
    """Print samples a second, medians, alone and beside `busy` processes that never rest."""
    for others in (0, busy):
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
        try:
            found = {name: [] for name in names}
            for _round in range(rounds):
                for name in names:
                    found[name].append(once(name, threads, seconds))
        finally:
            for loop in loops:
                loop.kill()
        for name, rates in found.items():
            print(f"| {others} | {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f} | {max(rates):,.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=2, help="processes beside it in the second half")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(train(options.threads, options.seconds))
    else:
        main(options.rounds, options.busy, options.threads, options.seconds, options.settings)
