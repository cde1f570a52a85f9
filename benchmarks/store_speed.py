"""The store's figures: bytes of a text, merging, draws and gathers, verifying, and what int8 costs in exactness.

    python benchmarks/store_speed.py --scratch /tmp/store_speed --results results

Needs some 12 GB on the disk of --scratch and 8 GB of memory. Files of synthetic vectors are sparse for merging, which
reads none, and real everywhere else. `--results` are those of the main job.
"""

import argparse
import hashlib
import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import EmbedderIdentity, ShardManifest, StoredFile
from nounflow.schemas.tables import CAPTIONS, NOUNS, lexicon_digest, read_table, write_table
from nounflow.store.inspection import verify
from nounflow.store.matrix import MappedMatrix
from nounflow.store.merging import merge
from nounflow.store.rows import encode
from nounflow.store.sampling import WeightedRows, training_batches
from nounflow.store.shard_writing import write_shard
from nounflow.store.shards import array_folder, find_manifests, map_rows, read_shard, sealed
from nounflow.store.texts import closed_bytes, text_keys
from nounflow.streams import stream

DIM = 768
BATCH = 8192
NAMES = [f"noun {i}" for i in range(40_000)]
EMBEDDER = EmbedderIdentity(
    spec="synthetic", dim=DIM, digest="0", weights="0", tokenizer="0", preprocessing="", precision="fp32"
)


def vectors_file(manifest_path: Path) -> Path:
    """The file that holds a shard's vectors."""
    return array_folder(manifest_path) / "vectors/c/0/0"


def unit_rows(n: int, seed: int) -> np.ndarray:
    """float16 unit rows [n, DIM]."""
    rows = np.random.default_rng(seed).standard_normal((n, DIM), dtype=np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def median_seconds(call: Callable[[], Any], turns: int) -> float:
    """Median time of a call."""
    times = []
    for _turn in range(turns):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def forget_pages(paths: list[Path]) -> None:
    """Drop files from the page cache, so that the next read comes from the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


# --- bytes ---


def bytes_of_a_text(scratch: Path) -> list[str]:
    """Lines on the space a distinct text takes."""
    rows = unit_rows(50_000, 1).astype(np.float32)
    keys = text_keys(str(i) for i in range(len(rows)))
    lines = []
    for dtype in ("float16", "int8"):
        folder = scratch / dtype
        write_shard(
            folder / "0.json", rows, keys=keys, dtype=dtype, embedder=EMBEDDER, lexicon="", source="m1", start=0,
            texts="", batch_tokens=0,
        )  # fmt: skip
        taken = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        lines.append(f"| bytes of a distinct text at F = {DIM}, {dtype}, all files | {taken / len(rows):,.1f} |")
    return lines


# --- merging ---


def write_merge_material(folder: Path, rows: int, shards: int) -> None:
    """A lexicon, one captions file, and its shards, whose vectors are sparse files of the full size."""
    words = np.array([f"{a} {b}" for a in ("photo of a", "picture of the", "drawing of a") for b in NAMES[:3000]])
    nouns = pl.DataFrame(
        {name: [[]] * len(NAMES) if "list" in str(NOUNS.field(name).type) else [0] * len(NAMES) for name in NOUNS.names}
    ).with_columns(id=pl.int_range(len(NAMES)), **{name: pl.Series(NAMES) for name in ("key", "noun", "canon")})
    nouns = nouns.with_columns(kind=pl.lit(""), gloss=pl.lit(""), weight=pl.lit(1.0))
    write_table(folder / "nouns.parquet", nouns, NOUNS)
    generator = np.random.default_rng(0)
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(folder / "captions.parquet", CAPTIONS, compression="zstd") as writer:
        bounds = [rows * shard // shards for shard in range(shards + 1)]
        for shard, (start, stop) in enumerate(itertools.pairwise(bounds)):
            n = stop - start
            texts = [
                f"A {a} beside another {i}."
                for i, a in zip(range(start, stop), words[generator.integers(len(words), size=n)], strict=True)
            ]
            lengths = generator.integers(1, 4, size=n)
            offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
            ids = pa.array(generator.integers(len(NAMES), size=lengths.sum()).astype(np.uint32))
            shares = pa.array(np.repeat(1 / lengths, lengths).astype(np.float32))
            column = pa.array(texts, pa.string())
            batch = pa.record_batch(
                [
                    column,
                    pa.ListArray.from_arrays(offsets, ids),
                    pa.ListArray.from_arrays(offsets, shares),
                    pa.array(generator.exponential(size=n).astype(np.float32)),
                    pa.array(["t"] * n),
                ],
                schema=CAPTIONS,
            )
            writer.write_batch(batch)
            digest = hashlib.sha256(closed_bytes(column)).hexdigest()
            write_sparse_shard(folder / f"m1/{shard}.json", text_keys(texts), start, digest)


def write_sparse_shard(path: Path, keys: np.ndarray, start: int, texts: str) -> None:
    """A shard whose vectors are a hole of the right size."""
    identity = {"embedder": EMBEDDER, "lexicon": lexicon_digest(NAMES), "source": "m1", "start": start, "texts": texts}
    write_shard(path, unit_rows(1, 0), keys=keys[:1], batch_tokens=0, **identity)
    chunk = array_folder(path) / "keys/c/0/0"
    chunk.write_bytes(keys.tobytes() + b"\0\0\0\0")
    with vectors_file(path).open("wb") as handle:
        handle.truncate(len(keys) * DIM * 2 + 4)
    from nounflow.files import sha256_file

    parts = {
        str(file.relative_to(array_folder(path))): StoredFile(
            bytes=file.stat().st_size, sha256="0" * 64 if file == vectors_file(path) else sha256_file(file)
        )
        for file in sorted(array_folder(path).rglob("*"))
        if file.is_file()
    }
    write_document(
        path,
        sealed(ShardManifest(
            rows=len(keys), dim=DIM, dtype="float16", batch_tokens=0, parts=parts, digest="", **identity
        )),
    )  # fmt: skip


def merge_once(folder: Path) -> None:
    """Merge, and print seconds and peak memory: run in a process of its own."""
    shards = sorted(find_manifests(folder / "m1"), key=lambda path: int(path.stem))
    captions = {"m1": folder / "captions.parquet"}
    start = time.perf_counter()
    merge(folder / "set", folder / "nouns.parquet", captions, {"m1": shards}, {"m1": 1}, 0.02)
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text().split()  # getrusage would count the parent's memory in
    print(seconds, int(status[status.index("VmHWM:") + 1]) / 1000)


def merging(scratch: Path, rows: int) -> list[str]:
    """Lines on merging."""
    folder = scratch / "merge"
    if not (folder / "captions.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_merge_material(folder, rows, max(1, rows // 1_000_000))
    figures = []
    for _turn in range(3):
        done = subprocess.run(
            [sys.executable, __file__, "--merge-once", str(folder)], check=True, capture_output=True, text=True
        )
        figures.append([float(word) for word in done.stdout.split()])
    seconds, megabytes = (statistics.median(column) for column in zip(*figures, strict=True))
    size = (folder / "set/index.parquet").stat().st_size / 1e9
    return [
        f"| merging {rows:,} rows, seconds | {seconds:.1f} |",
        f"| peak memory of it, MB | {megabytes:,.0f} |",
        f"| its index on disk, GB | {size:.2f} |",
    ]


# --- sampling ---


def drawing(rows: int) -> list[str]:
    """Lines on draws alone, from as many rows as a full training set has."""
    weights = np.random.default_rng(0).exponential(size=rows).astype(np.float32)
    built = time.perf_counter()
    by_weight = WeightedRows(weights)
    built = time.perf_counter() - built
    cumulative = np.cumsum(weights, dtype=np.float64)
    uniforms = [stream(1, "samples", step).random(BATCH) for step in range(40)]
    ours = median_seconds(lambda: [by_weight.at(part) for part in uniforms], 5)
    plain = median_seconds(
        lambda: [np.searchsorted(cumulative, part * cumulative[-1], side="right") for part in uniforms], 5
    )
    n = 40 * BATCH
    return [
        f"| draws/s from {rows:,} rows, guide table | {n / ours:,.0f} |",
        f"| draws/s, `np.searchsorted` | {n / plain:,.0f} |",
        f"| building the guide table, s | {built:.1f} |",
    ]


def sampling(scratch: Path, rows: int, steps: int) -> list[str]:
    """Lines on whole samples, rows and vectors, from memory and from shards."""
    folder = scratch / "samples"
    shards = 8
    if not folder.exists():
        for shard in range(shards):
            write_shard(
                folder / f"{shard}.json", unit_rows(rows // shards, shard), embedder=EMBEDDER, lexicon="", source="m1",
                start=shard * (rows // shards), texts="", batch_tokens=0,
            )  # fmt: skip
    paths = list(find_manifests(folder))
    mapped = MappedMatrix([map_rows(path, read_shard(path)[0]) for path in paths], DIM)
    matrix = np.concatenate([read_shard(path)[1] for path in paths])
    weights = np.random.default_rng(0).exponential(size=len(matrix)).astype(np.float32)
    by_weight = WeightedRows(weights)
    cumulative = np.cumsum(weights, dtype=np.float64)

    def draw(generator: np.random.Generator, n: int) -> np.ndarray:
        return by_weight.at(generator.random(n))

    def from_memory() -> None:
        for _batch in training_batches(draw, matrix, 1, BATCH, range(steps), "cpu"):
            pass

    def plainly() -> None:
        for step in range(steps):
            picked = np.searchsorted(cumulative, stream(1, "samples", step).random(BATCH) * cumulative[-1])
            torch.from_numpy(matrix[picked])

    def from_shards() -> None:
        for _batch in training_batches(draw, mapped, 1, BATCH, range(steps), "cpu", 1 << 30):
            pass

    def from_shards_cold() -> None:
        forget_pages([vectors_file(path) for path in paths])
        from_shards()

    n = steps * BATCH
    warm, plain = median_seconds(from_memory, 5), median_seconds(plainly, 5)
    streamed, cold = median_seconds(from_shards, 3), median_seconds(from_shards_cold, 3)
    copied = n * DIM * 2 / 1e9
    return [
        f"| samples/s from memory, {len(matrix):,} rows ({matrix.nbytes / 1e9:.1f} GB) | {n / warm:,.0f} |",
        f"| GB/s gathered | {copied / warm:.1f} |",
        f"| samples/s from memory, `np.searchsorted` and `matrix[rows]` | {n / plain:,.0f} |",
        f"| samples/s streamed from shards in the page cache, buffers of 1 GiB | {n / streamed:,.0f} |",
        f"| samples/s streamed from shards on the disk | {n / cold:,.0f} |",
    ]


def verifying(scratch: Path) -> list[str]:
    """Lines on checking every byte, against `sha256sum`."""
    paths = list(find_manifests(scratch / "samples"))
    files = [str(vectors_file(path)) for path in paths]
    size = sum(Path(file).stat().st_size for file in files) / 1e9
    ours = median_seconds(lambda: verify(paths, os.cpu_count() or 1), 3)
    plain = median_seconds(lambda: subprocess.run(["sha256sum", *files], check=True, capture_output=True), 3)
    return [
        f"| verify, GB/s ({size:.1f} GB, page cache) | {size / ours:.2f} |",
        f"| `sha256sum`, GB/s | {size / plain:.2f} |",
    ]


# --- int8 ---


def int8_error(results: Path) -> list[str]:
    """Lines on what int8 changes, on the main job's embeddings."""
    cosines = []
    vectors, labels = [], []
    for path in find_manifests(results / "embeddings/bundled/small"):
        manifest, rows = read_shard(path)
        exact = np.asarray(rows, dtype=np.float32)
        decoded = encode(exact, "int8", path)[:].astype(np.float32)
        norms = np.linalg.norm(decoded, axis=1) * np.linalg.norm(exact, axis=1)
        cosines.append((exact * decoded).sum(1) / norms)
        if manifest.source == "m1":
            vectors.append((exact, decoded))
    captions = read_table(results / "captions/small/m1.parquet", CAPTIONS, "captions")
    labels = captions["targets"].list.first().to_numpy()
    nouns = int(labels.max()) + 1
    exact, decoded = (np.concatenate(part) for part in zip(*vectors, strict=True))
    found = [_nearest(results, _means(part, labels, nouns), part) for part in (exact, decoded)]
    cosine = np.concatenate(cosines)
    same = {name: (found[0][name] == found[1][name]).mean() for name in found[0]}
    right = [(side["captions"] == labels[::7]).mean() for side in found]
    photos, texts = len(found[0]["photos"]), len(found[0]["captions"])
    return [
        f"| int8 against float16, {len(cosine):,} texts: least and median cosine "
        f"| {cosine.min():.6f}, {np.median(cosine):.6f} |",
        f"| same first noun of {nouns:,} by retrieval, {photos} photos | {same['photos']:.2%} |",
        f"| same first noun by retrieval, {texts:,} M1 captions | {same['captions']:.2%} |",
        f"| first noun right on these captions: float16, int8 | {right[0]:.2%}, {right[1]:.2%} |",
    ]


def _means(vectors: np.ndarray, labels: np.ndarray, nouns: int) -> np.ndarray:
    sums = np.zeros((nouns, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def _nearest(results: Path, nouns: np.ndarray, texts: np.ndarray) -> dict[str, np.ndarray]:
    _manifest, photos = read_shard(results / "image_embeddings/bundled/photos.json")
    return {
        "photos": (np.asarray(photos, dtype=np.float32) @ nouns.T).argmax(1),
        "captions": np.concatenate([(part @ nouns.T).argmax(1) for part in np.array_split(texts[::7], 20)]),
    }


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for synthetic files; it is removed at the end"
    )
    parser.add_argument("--results", type=Path, help="results of the main job, for int8")
    parser.add_argument("--rows", type=int, default=50_000_000, help="rows to merge and to draw from")
    parser.add_argument("--sample-rows", type=int, default=2_000_000, help="rows with real vectors")
    parser.add_argument("--merge-once", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.merge_once:
        merge_once(arguments.merge_once)
        return
    torch.set_num_threads(2)
    print(f"# The store's speed and space\n\nTwo cores ({platform.machine()}), torch with 2 threads; medians.\n")
    print("| what | figure |\n|---|---|", flush=True)
    parts: list[Callable[[], list[str]]] = [
        lambda: bytes_of_a_text(arguments.scratch),
        lambda: drawing(arguments.rows),
        lambda: sampling(arguments.scratch, arguments.sample_rows, 100),
        lambda: verifying(arguments.scratch),
        lambda: merging(arguments.scratch, arguments.rows),
        lambda: int8_error(arguments.results) if arguments.results else [],
    ]
    for part in parts:
        print("\n".join(part()), flush=True)
    shutil.rmtree(arguments.scratch)


if __name__ == "__main__":
    main()
