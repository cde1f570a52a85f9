"""Pairs of image and caption, embedded once into the store of all vectors: shards, and an index over them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nounflow.config.embedder import EmbedderConfig, family_of
from nounflow.counts import Counts
from nounflow.embedders.image_files import embed_batches
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.files import sha256_file, sha256_text
from nounflow.images import open_image
from nounflow.open_set.pairs import LeftOut, Pair, read_pairs
from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import ShardManifest, ShardReference, TrainingSetManifest
from nounflow.schemas.tables import INDEX, PAIRS, read_table, write_table
from nounflow.store.matrix import MappedMatrix, load_matrix
from nounflow.store.reuse import VectorOrigin, computation
from nounflow.store.shard_writing import write_shard
from nounflow.store.shards import sealed, verify_shard
from nounflow.store.texts import heldout_mask, text_keys
from nounflow.store.training_set import TrainingSet, read_checked_manifest

_BLOCK = 4096  # pairs in a shard: what a kill costs at most
_HELD_OUT = 0.02  # share of the captions that is never trained on


@dataclass(frozen=True)
class Pairs:
    """Embedded pairs; rows run parallel."""

    images: TrainingSet  # the only target of an image is its caption
    texts: np.ndarray | MappedMatrix  # fp16 [pairs, dim], unit rows
    captions: Sequence[str]


def embed_pairs(source: Path, model: Embedder, settings: EmbedderConfig, threads: int, manifest_path: Path) -> Counts:
    """Embed all pairs of a source; whole shards that an earlier job left are kept.

    Raises:
        NounflowError: the source is none, or no pair of it is of use.
    """
    folder, left_out = manifest_path.parent, LeftOut()
    origin = VectorOrigin(
        model.identity, "float16", model.batch_tokens, computation(family_of(settings.spec), model.device)
    )
    shards: dict[str, list[ShardManifest]] = {"images": [], "texts": []}
    kept: list[Pair] = []
    pairs = read_pairs(source, left_out)
    for number, block in enumerate(iter(lambda: list(islice(pairs, _BLOCK)), [])):
        paths, digest = [folder / name / f"{number}.json" for name in shards], _digest(block)
        found = _whole(paths, origin, digest) or _embed(block, digest, model, settings, threads, origin, paths)
        for pair in block:
            if (why := found[0].unreadable.get(pair.name)) is None:
                kept.append(pair._replace(image=b""))
            else:
                left_out(pair.name, f"unreadable ({why})")
        for part, shard in zip(shards.values(), found, strict=True):
            part.append(shard)
    if not kept:
        raise NounflowError("No pair of image and caption is of use", where=source, fix="the log says what is wrong")
    captions = [pair.caption for pair in kept]
    table = pl.DataFrame({"image": [pair.name for pair in kept], "text": captions})
    manifest_path.unlink(missing_ok=True)
    write_table(folder / INDEX, table, PAIRS)
    manifest = TrainingSetManifest(
        embedder=model.identity,
        lexicon="",
        lexicon_path="",
        mixture={},
        shards=tuple(
            ShardReference(path=f"{name}/{number}.json", source=name, rows=shard.rows, digest=shard.digest)
            for name, part in shards.items()
            for number, shard in enumerate(part)
        ),
        samples=len(kept),
        heldout=int(heldout_mask(text_keys(captions), _HELD_OUT).sum()),
        index_sha256=sha256_file(folder / INDEX),
    )
    write_document(manifest_path, sealed(manifest))
    counts = Counts("open_set")
    flow = counts.flow(f"{source.name}: pairs", len(kept) + left_out.total(), "pairs")
    for reason, number in left_out.items():
        flow.drop(number, reason)
    flow.out(len(kept), "embedded pairs")
    return counts


def open_pairs(manifest_path: Path, memory: int | None = None) -> Pairs:
    """Open embedded pairs; every byte of their shards is checked. `memory`: as of `open_training_set`.

    Raises:
        DamagedFileError: the index or a shard is not what the manifest promises.
    """
    manifest = read_checked_manifest(manifest_path)
    captions = read_table(manifest_path.parent / INDEX, PAIRS, "index of pairs")["text"].to_list()
    images, texts = (
        load_matrix(
            manifest_path.parent, [ref for ref in manifest.shards if ref.source == name], manifest.embedder.dim, memory
        )
        for name in ("images", "texts")
    )
    number = {caption: i for i, caption in enumerate(dict.fromkeys(captions))}
    heldout = heldout_mask(text_keys(captions), _HELD_OUT)
    targets = np.array([number[caption] for caption in captions], dtype=np.uint32)
    weights = np.where(heldout, 0.0, 1 / max(1, int((~heldout).sum()))).astype(np.float32)
    sources = np.zeros(len(captions), dtype=np.uint16)
    ones, offsets = np.ones(len(captions), dtype=np.float32), np.arange(len(captions) + 1)
    return Pairs(
        TrainingSet(manifest, images, targets, ones, offsets, weights, heldout, sources), texts, tuple(captions)
    )


def _digest(block: Sequence[Pair]) -> str:
    """Over names, captions and images."""
    parts: list[str] = []
    for name, image, caption in block:
        parts += (name, sha256_file(image) if isinstance(image, Path) else hashlib.sha256(image).hexdigest(), caption)
    return sha256_text(*parts)


def _whole(paths: Sequence[Path], origin: VectorOrigin, digest: str) -> list[ShardManifest]:
    """Manifests of a block's shards, if they hold these very pairs; else none."""
    try:
        found = [verify_shard(path) for path in paths]
    except NounflowError:
        return []
    return found if found[0].texts == digest and all(map(origin.made, found)) else []


def _embed(
    block: Sequence[Pair],
    digest: str,
    model: Embedder,
    settings: EmbedderConfig,
    threads: int,
    origin: VectorOrigin,
    paths: Sequence[Path],
) -> list[ShardManifest]:
    """Embed a block; the shard of its images, by which it is known as whole, is written last."""
    fields: dict[str, Any] = {"embedder": origin.embedder, "lexicon": "", "start": 0}
    fields |= {"batch_tokens": origin.batch_tokens, "computed": origin.computed}
    vectors, reasons = [np.zeros((0, model.dim), dtype=np.float32)], dict[str, str]()
    for pairs, problems, found in embed_batches(
        model, block, lambda pair: open_image(pair.image), settings.image_batch, threads, fixed_shape=True
    ):
        vectors.append(found)
        reasons |= {pair.name: why for pair, why in zip(pairs, problems, strict=True) if why is not None}
    captions = [pair.caption for pair in block if pair.name not in reasons]
    place = {caption: i for i, caption in enumerate(dict.fromkeys(captions))}
    distinct = model.encode_texts(list(place)) if place else np.zeros((0, model.dim), dtype=np.float32)
    texts = write_shard(
        paths[1], distinct[[place[caption] for caption in captions]], source="texts", texts=sha256_text(*captions),
        keys=text_keys(captions), **fields,
    )  # fmt: skip
    images = write_shard(
        paths[0], np.concatenate(vectors), source="images", texts=digest,
        files=tuple(pair.name for pair in block if pair.name not in reasons), unreadable=reasons, **fields,
    )  # fmt: skip
    return [images, texts]
