"""A model under onnxruntime against PyTorch: size on disk, and times of its parts, all in turns in one process.

    OMP_WAIT_POLICY=PASSIVE python -m benchmarks.onnx_speed --run results/models/small \\
        --head results/models/small_head --captions results/captions/small/m1.parquet --folder /tmp/onnx

Exports that `--folder` lacks are made first. Times are medians, of the wall and, behind a slash, of the processor: on a
machine that others use, only the second says something. The last table is of the bundled *text* tower, which is not
exported: whether onnxruntime would embed captions faster.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders import bundled, minilm
from nounflow.embedders.load import load_embedder
from nounflow.embedders.minilm_tokenizer import load_tokenizer, model_folder
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.two_towers import TwoTowers
from nounflow.images import open_image
from nounflow.onnx.export import export_model
from nounflow.onnx.graphs import Graph, write_graph
from nounflow.onnx.opening import DECODER, HEAD, TOWER, open_exported, session
from nounflow.predictor_kinds import WEIGHTS
from nounflow.predictors.loading import load_predictor
from nounflow.process import prepare_process

Way = Callable[[], Any]
BATCHES = (1, 16)
PYTORCH = "PyTorch fp32, as the run"
LIVE, PAST = 10, 2  # hypotheses of an image, and their tokens so far


def in_turns(ways: dict[str, Way], rounds: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each way, medians: of the wall, and of the processor."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for round_ in range(-2, rounds):  # the first two warm up
        for name, way in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            way()
            took = (1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor))
            if round_ >= 0:
                times[name].append(took)
    return {name: (statistics.median(w for w, _ in t), statistics.median(p for _, p in t)) for name, t in times.items()}


def row(part: str, ways: dict[str, dict[int, Way]], rounds: int) -> None:
    """Lines of the table of times; the first way is what the others are held against."""
    times = {batch: in_turns({name: by[batch] for name, by in ways.items()}, rounds) for batch in BATCHES}
    first = next(iter(ways))
    for name in ways:
        cells = [f"{times[b][name][0]:,.1f} / {times[b][name][1]:,.1f}" for b in BATCHES]
        ratios = [
            f"{times[b][first][0] / times[b][name][0]:.2f} / {times[b][first][1] / times[b][name][1]:.2f}"
            for b in BATCHES
        ]
        print(f"| {part} | {name} | {cells[0]} | {ratios[0]} | {cells[1]} | {ratios[1]} |", flush=True)


def step_ways(decoder: Any, opened: dict[str, Any]) -> dict[str, Callable[[np.ndarray], Any]]:
    """One step of `LIVE` hypotheses behind `PAST` tokens; PyTorch has the prefix at hand, the graph computes it."""
    model = decoder._model
    shape = model.config
    drawn = np.random.default_rng(0)

    def given(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size = (n, LIVE, shape.layers, shape.heads, PAST, shape.width // shape.heads)
        tokens = drawn.integers(1, 100, (n, LIVE))
        return tokens, *drawn.standard_normal((2, *size), dtype=np.float32)

    kept = {n: given(n) for n in BATCHES}
    with torch.inference_mode():
        prefixes = {n: model.start(torch.randn(n, model.dim))[1] for n in BATCHES}

    @torch.inference_mode()
    def own(vectors: np.ndarray) -> Any:
        tokens, keys, values = (torch.from_numpy(part) for part in kept[len(vectors)])
        past = list(zip(keys.unbind(2), values.unbind(2), strict=True))
        return F.log_softmax(model.step(tokens, PAST, prefixes[len(vectors)], past)[0], -1)

    def exported(vectors: np.ndarray, opened: Any) -> Any:
        names = ("tokens", "past_keys", "past_values")
        inputs = {"embeddings": vectors, **dict(zip(names, kept[len(vectors)], strict=True))}
        return opened.run(["following", "keys", "values"], inputs)

    ways: dict[str, Callable[[np.ndarray], Any]] = {PYTORCH: own}
    return ways | {f"onnxruntime {name}": partial(exported, opened=one._session) for name, (one, _) in opened.items()}


class Texts(nn.Module):
    """The bundled text tower, of `transformers`: ids and mask [n, tokens] -> unit vectors [n, dim]."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import AutoModel

        self.model = AutoModel.from_pretrained(model_folder(), attn_implementation="eager")

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        counted = mask[..., None].float()
        return F.normalize((hidden * counted).sum(1) / counted.sum(1), dim=-1)


def text_table(captions: list[str], threads: int, rounds: int, folder: Path) -> None:
    """Texts a second of the bundled text tower, in the same batches."""
    encoders = {
        f"PyTorch {precision}": minilm.load_encoder(load_tokenizer(""), ComputeOptions("cpu", precision, 512, False))  # type: ignore[arg-type]
        for precision in ("bf16", "fp32")
    }
    ids = torch.randint(1000, 20000, (2, 12))
    graph = Graph(
        "texts", Texts(), {"ids": ids, "mask": torch.ones(2, 12, dtype=torch.bool)}, ((0, 1),) * 2, ("vectors",)
    )
    for precision, int8 in (("fp32", False), ("int8", True)):
        path = folder / f"texts_{precision}.onnx"
        write_graph(path, graph, int8)
        opened = session(path, threads)

        def forward(ids: Tensor, mask: Tensor, opened: Any = opened) -> Tensor:
            return torch.from_numpy(opened.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0])

        encoders[f"onnxruntime {precision}"] = replace(encoders["PyTorch fp32"], forward=forward)
    found = {name: encoder.encode(captions, progress=False) for name, encoder in encoders.items()}
    times = in_turns({name: (lambda e=e: e.encode(captions, progress=False)) for name, e in encoders.items()}, rounds)
    print("\n| text tower | texts/s, wall / processor | times PyTorch bf16 | least cosine with PyTorch fp32 |")
    print("|---|---|---|---|")
    wall, processor = times["PyTorch bf16"]
    for name, (mine, own) in times.items():
        cosine = (found[name] * found["PyTorch fp32"]).sum(1).min()
        rates = f"{1000 * len(captions) / mine:,.0f} / {1000 * len(captions) / own:,.0f}"
        print(f"| {name} | {rates} | {wall / mine:.2f} / {processor / own:.2f} | {cosine:.4f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of a decoder of the bundled embedder")
    parser.add_argument("--head", type=Path, required=True, help="folder of a head of the same embedder")
    parser.add_argument("--captions", type=Path, required=True, help="a captions file")
    parser.add_argument("--folder", type=Path, help="where exports are kept")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    threads, rounds = arguments.threads, arguments.rounds
    folder = arguments.folder or Path(tempfile.mkdtemp())
    prepare_process("cpu", threads)
    opened: dict[Path, dict[str, Any]] = {}
    for run in (arguments.run, arguments.head):
        for name in ("fp32", "int8"):
            out = folder / f"{run.name}_{name}"
            if not out.exists():
                print(out.name, export_model(run / "manifest.json", out, name == "int8"), flush=True)
            opened.setdefault(run, {})[name] = open_exported(out / "manifest.json", threads, None)
    decoder, head = (load_predictor(run / "manifest.json", "cpu") for run in (arguments.run, arguments.head))
    identity = decoder.manifest.embedder
    embedder = load_embedder(EmbedderConfig(spec=identity.spec, precision=identity.precision), "cpu")  # type: ignore[arg-type]
    assert isinstance(embedder, TwoTowers)
    captions = pl.read_parquet(arguments.captions)["text"].sample(arguments.texts, shuffle=True, seed=1).to_list()
    vectors = embedder.encode_texts(captions, progress=False)
    photographs = sorted((Path(__file__).parent.parent / "docs/photographs").glob("*.jpg"))
    prepared = [embedder.preprocess(open_image(path)) for path in photographs]
    pixels = {n: (prepared * n)[:n] for n in BATCHES}
    batches = {n: vectors[:n] for n in BATCHES}
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {threads} threads; torch "
        f"{torch.__version__}, onnxruntime {onnxruntime.__version__}; {len(decoder.manifest.nouns):,} nouns\n"
    )

    print("| on disk, MB | PyTorch | onnxruntime fp32 | int8 |\n|---|---|---|---|")
    for graph, run, own in (
        (TOWER, arguments.run, bundled._image_weights()),
        (DECODER, arguments.run, arguments.run / WEIGHTS),
        (HEAD, arguments.head, arguments.head / WEIGHTS),
    ):
        paths = [own, *(folder / f"{run.name}_{name}" / graph for name in ("fp32", "int8"))]
        print(f"| {graph} | {' | '.join(f'{path.stat().st_size / 1e6:.1f}' for path in paths)} |")

    @torch.inference_mode()
    def low(images: list[np.ndarray]) -> np.ndarray:
        with torch.autocast("cpu", torch.bfloat16):
            return embedder.encode_images(images)

    print("\nMilliseconds of a batch, and times as fast as the first line; of the wall / of the processor.\n")
    print("| part | way | 1 image | times | 16 images | times |\n|---|---|---|---|---|---|")

    def lines(part: str, ways: dict[str, Callable[[Any], Any]], given: dict[int, Any]) -> None:
        row(part, {name: {n: partial(way, given[n]) for n in BATCHES} for name, way in ways.items()}, rounds)

    both, heads = opened[arguments.run], opened[arguments.head]
    lines(
        "image tower",
        {PYTORCH: embedder.encode_images, "PyTorch bf16": low}
        | {f"onnxruntime {name}": tower.encode_images for name, (_, tower) in both.items()},
        pixels,
    )
    lines("decoder, one step", step_ways(decoder, both), batches)

    def ten(predictor: Any) -> Callable[[Any], Any]:
        return lambda given: predictor.answer(given, 10)

    exported = {f"onnxruntime {name}": ten(one) for name, (one, _) in both.items()}
    lines("decoder, guided beam of 10", {PYTORCH: ten(decoder)} | exported, batches)
    exported = {f"onnxruntime {name}": ten(one) for name, (one, _) in heads.items()}
    lines("head, ten best", {PYTORCH: ten(head)} | exported, batches)

    def whole(predictor: Any, tower: Any) -> Callable[[Any], Any]:
        return lambda images: predictor.answer(tower.encode_images(images), 10)

    exported = {f"onnxruntime {name}": whole(*pair) for name, pair in both.items()}
    lines("image tower and decoder", {PYTORCH: whole(decoder, embedder)} | exported, pixels)

    print("\n| the same first noun as in PyTorch | fp32 | int8 |\n|---|---|---|")
    for part, theirs, pairs in (("decoder", decoder, both), ("head", head, heads)):
        wanted = theirs.answer(vectors, 1).nouns
        same = [f"{(one.answer(vectors, 1).nouns == wanted).mean():.1%}" for one, _ in pairs.values()]
        print(f"| {part}, of {len(vectors):,} captions | {' | '.join(same)} |")
    text_table(captions, threads, max(3, rounds // 3), folder)


if __name__ == "__main__":
    main()
