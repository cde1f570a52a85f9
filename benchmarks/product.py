"""The classifier as a product: import, first answer, images a second, memory, and the server under many clients.

    python benchmarks/product.py MODEL --folder FOLDER            # all parts; FOLDER holds photographs
    python benchmarks/product.py MODEL --folder FOLDER --parts serve fuzz

Times hold for the load that the last line states.
"""

from __future__ import annotations

import argparse
import concurrent.futures as futures
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import numpy as np

MAIN = "from nounflow.cli import main; main()"


def timed(*words: str) -> tuple[float, float]:
    """Least wall-clock and processor seconds of four cold processes, the first of which may have to compile modules."""
    found = []
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(4):
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, *words],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment | {"PYTHONPYCACHEPREFIX": compiled},
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            found.append((time.perf_counter() - start, cpu))
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def start(model: str, files: list[Path]) -> None:
    """Import, and the first answer of a cold process."""
    print("import nounflow: {:.2f} s, {:.2f} s of processor".format(*timed("-c", "import nounflow")), flush=True)
    print("interpreter alone: {:.2f} s, {:.2f} s of processor".format(*timed("-c", "pass")), flush=True)
    found = timed("-c", MAIN, "name", str(files[0].resolve()), "--run", model)
    print("first answer: {:.2f} s, {:.2f} s of processor".format(*found), flush=True)


def parts(model: str, files: list[Path]) -> None:
    """Milliseconds an image of each part of an answer, by batch size, in one thread: what batches can gain at most."""
    import torch

    from nounflow import NounClassifier

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    classifier = NounClassifier.load(model, threads=1)

    def measured(what: str, call: Callable[[int], object]) -> None:
        found = []
        for size in (1, 4, 8, 16, 32):
            call(size)
            spent = []
            for _ in range(max(3, 16 // size)):
                begin = time.process_time()
                call(size)
                spent.append(1000 * (time.process_time() - begin) / size)
            found.append(f"{size}: {min(spent):.1f}")
        print(f"{what}, ms of processor an image in batches of {', '.join(found)}", flush=True)

    contents = [path.read_bytes() for path in files[:32]]
    measured("decoding and scaling", lambda size: [classifier.prepare(content) for content in contents[:size]])
    prepared = [classifier.prepare(content) for content in contents]
    measured("image tower", lambda size: classifier.encode_prepared(prepared[:size]))
    vectors = classifier.encode_prepared(prepared)
    measured("decoder and the rest", lambda size: classifier.classify_embeddings(vectors[:size], 3))
    torch.set_num_threads(before)


def many(model: str, files: list[Path], count: int) -> None:
    """Images a second, and the peak of memory after an eighth of them and after all."""
    from nounflow import NounClassifier

    classifier = NounClassifier.load(model)
    classifier(files[0])
    begin, cpu = time.perf_counter(), time.process_time()
    sources = (files[i % len(files)] for i in range(count))
    for done, _naming in enumerate(classifier.classify(sources), 1):
        if done in (count // 8, count):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{done:,} images: peak of {peak:,.0f} MB of memory", flush=True)
    wall, spent = time.perf_counter() - begin, time.process_time() - cpu
    print(f"{count / wall:.1f} images/s, {1000 * spent / count:.1f} ms of processor an image", flush=True)


@contextmanager
def server(model: str, *options: str) -> Iterator[str]:
    """Its address. At its end it says how much memory it took."""
    words = [sys.executable, "-c", MAIN, "serve", model, "--port", "0", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = re.search(r"http://\S+:\d+", process.stdout.readline())
    assert address, "it did not start"
    yield address[0]
    assert process.poll() is None, "it ended"
    peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert peak
    print(f"serve {' '.join(options)}: peak of {int(peak[1]) / 1024:,.0f} MB of memory", flush=True)
    process.terminate()
    process.wait(30)


def ask(address: str, contents: list[bytes], clients: int) -> tuple[dict[int, int], float]:
    """Post all, so many at a time: how many answers of each status, and answers a second."""
    with httpx.Client(timeout=300, limits=httpx.Limits(max_connections=clients)) as client:
        begin = time.perf_counter()
        with futures.ThreadPoolExecutor(clients) as pool:
            found = list(
                pool.map(lambda content: client.post(f"{address}/name", content=content).status_code, contents)
            )
    rate = len(contents) / (time.perf_counter() - begin)
    return {status: found.count(status) for status in sorted(set(found))}, rate


def serve(model: str, files: list[Path], requests: int) -> None:
    """50 clients at once, in batches, against the same server with batches of one."""
    contents = [files[i % len(files)].read_bytes() for i in range(requests)]
    with server(model) as batched, server(model, "--batch", "1") as single:
        for address in (batched, single):
            ask(address, contents[:20], 5)
        statuses, together = ask(batched, contents, 50)
        alone_statuses, alone = ask(single, contents[: requests // 8], 50)
        one_client = ask(single, contents[: requests // 16], 1)[1]
    print(f"50 clients, {requests:,} requests: {statuses}, {together:.1f} answers/s", flush=True)
    print(f"batches of one, 50 clients: {alone_statuses}, {alone:.1f}/s; one client: {one_client:.1f}/s", flush=True)
    print(f"ratios: {together / alone:.2f} and {together / one_client:.2f}", flush=True)


def fuzz(model: str, files: list[Path], uploads: int) -> None:
    """Spoilt images and noise; afterwards the server answers as before."""
    generator, photo = np.random.default_rng(0), files[0].read_bytes()
    spoilt = []
    for number in range(uploads):
        content = bytearray(files[number % len(files)].read_bytes())
        for place in generator.integers(0, len(content), 1 + number % 40):
            content[place] = generator.integers(0, 256)
        cut = bytes(content[: generator.integers(0, len(content) + 1)])
        spoilt.append(generator.bytes(len(cut)) if number % 5 == 0 else cut)
    with server(model) as address:
        statuses, rate = ask(address, spoilt, 20)
        after = ask(address, [photo], 1)[0]
    print(f"{uploads:,} fuzzed uploads: {statuses}, {rate:.0f}/s; the photograph afterwards: {after}", flush=True)


def main() -> None:
    """Measure what `--parts` names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--folder", type=Path, required=True, help="of photographs")
    parser.add_argument("--parts", nargs="+", default=["start", "parts", "many", "serve", "fuzz"])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--uploads", type=int, default=5_000)
    arguments = parser.parse_args()
    model = str(Path(arguments.model).resolve())
    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    for part in arguments.parts:
        if part == "start":
            start(model, files)
        elif part == "parts":
            parts(model, files)
        elif part == "many":
            many(model, files, arguments.images)
        elif part == "serve":
            serve(model, files, arguments.requests)
        else:
            fuzz(model, files, arguments.uploads)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)


if __name__ == "__main__":
    main()
