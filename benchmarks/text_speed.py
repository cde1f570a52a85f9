"""How fast texts are embedded, against the libraries' own way; both in turns, medians are printed as a table.

A tower of random weights (speed does not depend on them) with open_clip's own tokenizer and `encode_text`, padded to
77 tokens in fp32; and the bundled tower with `SentenceTransformer.encode`. On a GPU also the share of the card's bf16
matrix rate that the text tower of ViT-L-14 reaches.

    python benchmarks/text_speed.py --captions results/captions/small/offline.parquet
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder
from nounflow.process import prepare_process

Way = Callable[[list[str]], np.ndarray]


def random_checkpoint(architecture: str, folder: Path) -> str:
    """The spec of an open_clip model with random weights."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.create_model(architecture)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "random.safetensors")
    return f"openclip:{architecture}@{folder / 'random.safetensors'}"


def open_clips_own(spec: str, device: str) -> Way:
    """open_clip's tokenizer and `encode_text` in fp32, batches of 64."""
    import open_clip

    architecture, _, checkpoint = spec.partition(":")[2].partition("@")
    model = open_clip.create_model(architecture, pretrained=checkpoint, device=device).eval()
    tokenizer = open_clip.get_tokenizer(architecture)

    @torch.inference_mode()
    def encode(texts: list[str]) -> np.ndarray:
        parts = [
            model.encode_text(tokenizer(texts[start : start + 64]).to(device), normalize=True).cpu()
            for start in range(0, len(texts), 64)
        ]
        return torch.cat(parts).numpy()

    return encode


def sentence_transformers_own(device: str) -> Way:
    """`SentenceTransformer.encode` as it comes: sorted by length, 32 at a time, fp32."""
    from sentence_transformers import SentenceTransformer

    from nounflow.embedders.minilm_tokenizer import model_folder

    model = SentenceTransformer(str(model_folder()), device=device)
    return lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def measured(
    ways: dict[str, tuple[Way, int]], texts: list[str], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Texts a second of each way, in turns; each embeds its own number of the first texts."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(-1, rounds):  # the first warms up
        for name, (way, amount) in ways.items():
            start = clock()
            way(texts[:amount])
            if round_ >= 0:
                rates[name].append(amount / (clock() - start))
    return rates


def report(
    title: str, ways: dict[str, tuple[Way, int]], texts: list[str], rounds: int, clock: Callable[[], float]
) -> None:
    """A table: the first way is what the others are held against."""
    rates = measured(ways, texts, rounds, clock)
    first, *_others = ways
    few = texts[: min(amount for _way, amount in ways.values())]
    expected = ways[first][0](few)
    print(f"\n## {title}\n\n| way | texts/s, median | times as fast | largest difference | smallest cosine |")
    print("|---|---|---|---|---|")
    for name, (way, _amount) in ways.items():
        found = way(few)
        ratio = statistics.median(mine / theirs for mine, theirs in zip(rates[name], rates[first], strict=True))
        print(
            f"| {name} | {statistics.median(rates[name]):,.0f} | {ratio:.1f} | {np.abs(found - expected).max():.1e} | "
            f"{(found.astype(np.float64) * expected).sum(1).min():.6f} |",
            flush=True,
        )


def ours(model: Embedder) -> Way:
    """An embedder's own encode."""
    return lambda texts: model.encode_texts(texts, progress=False)


def gpu_share(texts: list[str], rounds: int) -> None:
    """Texts a second of ViT-L-14's text tower, and its arithmetic as a share of the card's bf16 matrix rate."""
    print("\n## Share of the card's bf16 matrix rate, text tower of ViT-L-14\n")
    if not torch.cuda.is_available():
        print("Not measured: this machine has no GPU.")
        return
    size = 8192
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(20):
        torch.cuda.synchronize()
        start = time.perf_counter()
        torch.mm(left, right)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    card = 2 * size**3 / statistics.median(seconds)
    with tempfile.TemporaryDirectory() as folder:
        config = EmbedderConfig(spec=random_checkpoint("ViT-L-14", Path(folder)), precision="bf16")
        model = load_embedder(config, "cuda", 2)
        many = texts * (1 + 200_000 // len(texts))
        rate = statistics.median(measured({"": (ours(model), len(many))}, many, rounds)[""])
        width, layers = 768, 12
        tokens = np.array([len(ids) for ids in model._parts.texts().tokenizer.tokens(texts)])  # type: ignore[attr-defined]
        work = float((layers * (24 * tokens * width**2 + 4 * tokens**2 * width)).mean())  # multiply-adds count twice
    print(
        f"{torch.cuda.get_device_name()}: {rate:,.0f} texts/s of {tokens.mean():.1f} tokens in batches of "
        f"{model.batch_tokens:,}; {rate * work / 1e12:,.0f} of {card / 1e12:,.0f} TFLOP/s, "
        f"{100 * rate * work / card:.0f} %"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True, help="a captions file")
    parser.add_argument("--rounds", type=int, default=3, help="timings of each way")
    parser.add_argument("--slow-texts", type=int, default=64, help="texts of one timing of the libraries' own way")
    parser.add_argument("--texts", type=int, default=4096, help="texts of one timing of ours")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument(
        "--processor-time", action="store_true", help="count seconds of the processor: for a machine that others use"
    )
    arguments = parser.parse_args()

    device = prepare_process(arguments.device, arguments.threads)
    texts = pl.read_parquet(arguments.captions)["text"].sample(arguments.texts, shuffle=True, seed=1).to_list()
    clock = time.process_time if arguments.processor_time else time.perf_counter
    slow, fast = arguments.slow_texts, arguments.texts
    where = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {arguments.threads} threads"
    print(f"{where}; {len(texts):,} captions of {np.mean([len(text.split()) for text in texts]):.1f} words")

    with tempfile.TemporaryDirectory() as folder:
        spec = random_checkpoint("ViT-B-32", Path(folder))
        fp32, bf16 = (
            load_embedder(EmbedderConfig(spec=spec, precision=precision), device, arguments.threads)  # type: ignore[arg-type]
            for precision in ("fp32", "bf16")
        )
        ways: dict[str, tuple[Way, int]] = {
            "open_clip, 77 tokens, fp32": (open_clips_own(spec, device), slow),
            "fp32": (ours(fp32), fast),
            "bf16": (ours(bf16), fast),
        }
        report("Text tower of ViT-B-32, random weights", ways, texts, arguments.rounds, clock)
    bundled = {
        precision: load_embedder(
            EmbedderConfig(spec="bundled:minilm-conse", precision=precision),  # type: ignore[arg-type]
            device,
            arguments.threads,
            images=False,
        )
        for precision in ("fp32", "bf16")
    }
    ways = {"SentenceTransformer.encode": (sentence_transformers_own(device), fast)}
    ways |= {precision: (ours(model), fast) for precision, model in bundled.items()}
    report("Bundled text tower", ways, texts, arguments.rounds, clock)
    gpu_share(texts, arguments.rounds)


if __name__ == "__main__":
    main()
