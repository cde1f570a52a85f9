"""A training set: an index of samples over embedding shards, checked when it is made and again when it is opened.

Merging copies no vectors. Mixing ratios, repetition and the held-out split are columns of the index.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nounflow.counts import Counts
from nounflow.errors import DamagedFileError, MismatchError
from nounflow.files import sha256_file
from nounflow.schemas.documents import (
    ShardManifest,
    ShardReference,
    TrainingSetManifest,
    read_document,
    write_document,
)
from nounflow.schemas.tables import CAPTIONS, NOUNS, SAMPLES, lexicon_digest, read_table, write_table
from nounflow.store.shards import check_identity, open_shard, texts_digest
from nounflow.streams import unit_hash

MANIFEST = "manifest.json"
INDEX = "index.parquet"


@dataclass(frozen=True)
class TrainingSet:
    """An opened training set. Rows of `vectors` and of the index columns run parallel."""

    manifest: TrainingSetManifest
    vectors: np.ndarray  # fp16 [samples, dim], unit rows
    targets: np.ndarray  # int64, all target ids in a row
    target_weights: np.ndarray  # float32, parallel to targets
    offsets: np.ndarray  # int64 [samples + 1]: targets of sample i are targets[offsets[i]:offsets[i + 1]]
    weights: np.ndarray  # float64 [samples], sum to 1 over the training split, 0 where held out
    heldout: np.ndarray  # bool [samples]
    sources: np.ndarray  # uint16 [samples]: position in manifest.shards

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """`n` sample rows (int64), drawn by weight with replacement from the training split."""
        return np.searchsorted(self._cumulative, generator.random(n) * self._cumulative[-1], side="right")

    def targets_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Targets of some rows: (ids in a row, their weights, offsets [len(rows) + 1])."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return self.targets[index], self.target_weights[index], offsets

    def count_texts(self, run: str) -> Counts:
        """What a run that trains on this set takes in, and what it leaves for validation."""
        counts = Counts("decoders")
        flow = counts.flow(f"{run}: texts", len(self.heldout), "texts")
        flow.drop(int(self.heldout.sum()), "held out for validation")
        flow.out(int((~self.heldout).sum()), "texts to draw samples from")
        return counts

    @functools.cached_property
    def _cumulative(self) -> np.ndarray:
        return np.cumsum(self.weights)


def merge(
    folder: Path,
    nouns_path: Path,
    captions: Mapping[str, Path],
    shard_manifests: Mapping[str, Sequence[Path]],
    mixture: Mapping[str, float],
    heldout_share: float,
) -> Counts:
    """Check shards against nouns, captions and each other, and write `folder`'s index and manifest.

    Args:
        captions: source -> its captions file.
        shard_manifests: source -> manifests of its shards, in the order of their rows.
        mixture: source -> sampling weight; the shares of all training samples.
        heldout_share: share of the texts that are never trained on (chosen by a hash of each text).

    Raises:
        MismatchError: another embedder, dimension, lexicon, or captions that were not the ones embedded.
        DamagedFileError: a shard's bytes are not those written.
    """
    digest = lexicon_digest(read_table(nouns_path, NOUNS, "lexicon")["noun"].to_list())
    counts = Counts("training_set")
    references: list[ShardReference] = []
    parts: list[pl.DataFrame] = []
    first: tuple[ShardManifest, Path] | None = None
    for source in mixture:
        texts = read_table(captions[source], CAPTIONS, "captions file")
        flow = counts.flow(f"{source}: samples", len(texts), "texts")
        part_rows = 0
        for path in shard_manifests[source]:
            manifest, _vectors = open_shard(path)  # verifies the payload
            first = first or (manifest, path)
            check_identity(manifest.embedder, first[0].embedder, path, first[1])
            _check_shard(manifest, path, source, digest, nouns_path, texts, part_rows, captions[source])
            references.append(
                ShardReference(
                    path=os.path.relpath(path, folder), source=source, rows=manifest.rows, sha256=manifest.sha256
                )
            )
            rows = texts.slice(part_rows, manifest.rows)
            parts.append(_index_rows(rows, len(references) - 1, source, heldout_share))
            part_rows += manifest.rows
        if part_rows != len(texts):
            raise MismatchError(
                f"The shards of '{source}' hold {part_rows:,} rows, its captions file {len(texts):,}",
                where=captions[source],
                fix="delete the shards of this source and run again",
            )
        flow.out(part_rows, "samples")
    assert first is not None  # a mixture has at least one source
    index = _mixed(pl.concat(parts), mixture)
    flow = counts.flow("split", len(index), "samples")
    heldout = int(index["heldout"].sum())
    flow.drop(heldout, "held out, never trained on")
    flow.out(len(index) - heldout, "training samples")
    write_table(folder / INDEX, index, SAMPLES)
    write_document(
        folder / MANIFEST,
        TrainingSetManifest(
            embedder=first[0].embedder,
            lexicon=digest,
            lexicon_path=os.path.relpath(nouns_path, folder),
            mixture=dict(mixture),
            shards=tuple(references),
            samples=len(index),
            heldout=heldout,
            index_sha256=sha256_file(folder / INDEX),
        ),
    )
    return counts


def open_training_set(manifest_path: Path) -> TrainingSet:
    """Open and verify a training set; all vectors are read into memory as fp16.

    Raises:
        DamagedFileError: the index or a shard is not what the manifest promises.
    """
    manifest_path = Path(manifest_path)
    folder = manifest_path.parent
    manifest = read_document(TrainingSetManifest, manifest_path, "training set manifest")
    if sha256_file(folder / INDEX) != manifest.index_sha256:
        raise DamagedFileError(
            "The index of a training set is not the one its manifest describes",
            where=folder / INDEX,
            fix=f"delete {manifest_path} and run again; the vectors stay",
        )
    index = read_table(folder / INDEX, SAMPLES, "training set index")
    vectors = np.empty((manifest.samples, manifest.embedder.dim), dtype=np.float16)
    start = 0
    for reference in manifest.shards:
        path = folder / reference.path
        shard, rows = open_shard(path)
        if shard.sha256 != reference.sha256:
            raise MismatchError(
                f"The shard was made anew since it was merged ({shard.sha256[:12]}, merged was "
                f"{reference.sha256[:12]})",
                where=path,
                fix=f"delete {manifest_path} and run again",
            )
        vectors[start : start + shard.rows] = rows
        start += shard.rows
    targets = index["targets"]
    offsets = np.concatenate([[0], np.cumsum(targets.list.len().to_numpy(), dtype=np.int64)])
    return TrainingSet(
        manifest=manifest,
        vectors=vectors,
        targets=targets.explode().to_numpy().astype(np.int64),
        target_weights=index["target_weights"].explode().to_numpy().astype(np.float32),
        offsets=offsets,
        weights=index["weight"].to_numpy().astype(np.float64),
        heldout=index["heldout"].to_numpy(),
        sources=index["shard"].to_numpy(),
    )


def _check_shard(
    manifest: ShardManifest,
    path: Path,
    source: str,
    digest: str,
    nouns_path: Path,
    texts: pl.DataFrame,
    start: int,
    captions_path: Path,
) -> None:
    if manifest.lexicon != digest:
        raise MismatchError(
            f"The shard was embedded for another lexicon ({manifest.lexicon[:12]} against {digest[:12]})",
            where=f"{path} against {nouns_path}",
            fix="delete the shard and run again",
        )
    if manifest.dim != manifest.embedder.dim:
        raise MismatchError(
            f"The shard has {manifest.dim} dimensions, its embedder {manifest.embedder.dim}",
            where=path,
            fix="delete the shard and run again",
        )
    expected = texts["text"].slice(start, manifest.rows).to_list()
    if manifest.source != source or manifest.start != start or manifest.texts != texts_digest(expected):
        raise MismatchError(
            f"The shard does not hold rows {start:,} to {start + manifest.rows:,} of the captions '{source}'",
            where=f"{path} against {captions_path}",
            fix="delete the shard and run again",
        )


def _index_rows(texts: pl.DataFrame, shard: int, source: str, heldout_share: float) -> pl.DataFrame:
    """The index rows of one shard, weights still on the source's own scale."""
    heldout = [unit_hash(0, "heldout", text) < heldout_share for text in texts["text"]]
    return texts.select(
        pl.lit(shard, dtype=pl.UInt16).alias("shard"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        "targets",
        "target_weights",
        pl.col("weight").cast(pl.Float64),
        pl.Series("heldout", heldout, dtype=pl.Boolean),
        pl.lit(source).alias("source"),
    )


def _mixed(index: pl.DataFrame, mixture: Mapping[str, float]) -> pl.DataFrame:
    """Scale weights so that each source has its share of the training split, and held-out rows weigh nothing."""
    share = pl.col("source").replace_strict(mixture, return_dtype=pl.Float64) / sum(mixture.values())
    training = pl.when(pl.col("heldout")).then(0.0).otherwise(pl.col("weight"))
    return index.with_columns(weight=training / training.sum().over("source") * share)
