"""Merging shards into a training set: checks, and an index written in one pass over the captions. No vector is read.

Manifests, file sizes and text keys are checked here; the vectors' own digests when a training set is opened, so that
merging takes seconds whatever the dimension. Memory is bounded by one batch of captions and one shard's keys.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nounflow.atomic import atomic_file
from nounflow.counts import Counts
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_file
from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import ShardManifest, ShardReference, TrainingSetManifest
from nounflow.schemas.tables import CAPTIONS, INDEX, SAMPLES, count_rows, lexicon_digest, read_columns, read_lexicon
from nounflow.store.shards import check_identity, read_keys, read_manifest, sealed
from nounflow.store.texts import closed_bytes, heldout_mask

MANIFEST = "manifest.json"
_AGAIN = "delete the shard and run again"


@dataclass(frozen=True)
class _Shard:
    """A shard that takes part, and its place in the training set's list."""

    path: Path
    manifest: ShardManifest
    position: int


@dataclass(frozen=True)
class _Source:
    """A caption source and its shards, in the order of their rows."""

    name: str
    captions: Path
    shards: tuple[_Shard, ...]
    share: float  # of all training samples


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
        heldout_share: share of the texts that are never trained on (chosen by each text's key).

    Raises:
        MismatchError: another embedder, dimension, lexicon, or captions that were not the ones embedded.
        DamagedFileError: a shard is missing, cut off, or its manifest or keys are not those written.
    """
    digest = lexicon_digest(read_lexicon(nouns_path)["noun"].to_list())
    sources = list(_read_sources(captions, shard_manifests, mixture))
    shards = [shard for source in sources for shard in source.shards]
    for shard in shards:
        _check_belongs(shard, shards[0], digest, nouns_path)
    counts = Counts("training_set")
    scales = {source.name: _check_source(source, heldout_share, counts) for source in sources}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    with atomic_file(folder / INDEX) as temporary:
        samples, heldout = _write_index(temporary, sources, scales, heldout_share)
    flow = counts.flow("split", samples, "samples")
    flow.drop(heldout, "held out, never trained on")
    flow.out(samples - heldout, "training samples")
    manifest = TrainingSetManifest(
        embedder=shards[0].manifest.embedder,
        lexicon=digest,
        lexicon_path=os.path.relpath(nouns_path, folder),
        mixture=dict(mixture),
        shards=tuple(_reference(shard, folder) for shard in shards),
        samples=samples,
        heldout=heldout,
        index_sha256=sha256_file(folder / INDEX),
    )
    write_document(folder / MANIFEST, sealed(manifest))
    return counts


def _read_sources(
    captions: Mapping[str, Path], shard_manifests: Mapping[str, Sequence[Path]], mixture: Mapping[str, float]
) -> Iterator[_Source]:
    position = 0
    for name, weight in mixture.items():
        shards = []
        for path in shard_manifests[name]:
            shards.append(_Shard(path, read_manifest(path), position))
            position += 1
        source = _Source(name, captions[name], tuple(shards), weight / sum(mixture.values()))
        expected = count_rows(source.captions, "captions file")
        if (held := sum(shard.manifest.rows for shard in shards)) != expected:
            raise MismatchError(
                f"The shards of '{name}' hold {held:,} rows, its captions file {expected:,}",
                where=source.captions,
                fix="delete the shards of this source and run again",
            )
        yield source


def _reference(shard: _Shard, folder: Path) -> ShardReference:
    kept = shard.manifest.model_dump(include={"source", "rows", "digest"})
    return ShardReference(path=os.path.relpath(shard.path, folder), **kept)


def _check_belongs(shard: _Shard, first: _Shard, lexicon: str, nouns_path: Path) -> None:
    manifest = shard.manifest
    check_identity(manifest.embedder, first.manifest.embedder, shard.path, first.path)
    if manifest.lexicon != lexicon:
        raise MismatchError(
            f"The shard was embedded for another lexicon ({manifest.lexicon[:12]} against {lexicon[:12]})",
            where=f"{shard.path} against {nouns_path}",
            fix=_AGAIN,
        )
    if manifest.dim != manifest.embedder.dim:
        raise MismatchError(
            f"The shard has {manifest.dim} dimensions, its embedder {manifest.embedder.dim}",
            where=shard.path,
            fix=_AGAIN,
        )


def _check_source(source: _Source, heldout_share: float, counts: Counts) -> float:
    """Check that each shard holds its rows of the captions; returns the factor from captions' to samples' weights."""
    digests = {shard.position: hashlib.sha256() for shard in source.shards}
    training = 0.0
    start = 0
    for shard, _row, keys, batch in _captions_by_shard(source, ["text", "weight"]):
        digests[shard.position].update(closed_bytes(batch["text"]))
        training += float(batch["weight"].to_numpy()[~heldout_mask(keys, heldout_share)].sum(dtype=np.float64))
    for shard in source.shards:
        manifest = shard.manifest
        texts = digests[shard.position].hexdigest()
        if (manifest.source, manifest.start, manifest.texts) != (source.name, start, texts):
            raise MismatchError(
                f"The shard does not hold rows {start:,} to {start + manifest.rows:,} of the captions '{source.name}'",
                where=f"{shard.path} against {source.captions}",
                fix=_AGAIN,
            )
        start += manifest.rows
    counts.flow(f"{source.name}: samples", start, "texts").out(start, "samples")
    if not training > 0:
        raise NounflowError(
            f"No text of '{source.name}' is left to train on: all {start:,} are held out or weigh nothing",
            where=source.captions,
            fix="lower `heldout` of the mixture, or give this source no weight",
        )
    return source.share / training


def _captions_by_shard(
    source: _Source, columns: Sequence[str]
) -> Iterator[tuple[_Shard, int, np.ndarray, pa.RecordBatch]]:
    """Batches of captions cut at the shards' bounds: (shard, first row in it, keys of the texts, captions)."""
    batches = read_columns(source.captions, CAPTIONS, "captions file", columns)
    batch = pa.RecordBatch.from_pylist([])
    for shard in source.shards:
        keys = read_keys(shard.path, shard.manifest)
        if len(keys) != shard.manifest.rows:
            raise MismatchError("The shard has no keys of texts", where=shard.path, fix=_AGAIN)
        done = 0
        while done < shard.manifest.rows:
            batch = batch if len(batch) else next(batches)
            taken = batch.slice(0, shard.manifest.rows - done)
            yield shard, done, keys[done : done + len(taken)], taken
            batch = batch.slice(len(taken))
            done += len(taken)


def _write_index(
    path: Path, sources: Sequence[_Source], scales: Mapping[str, float], heldout_share: float
) -> tuple[int, int]:
    """Write the index of all sources; returns (samples, how many of them are held out)."""
    samples = heldout_samples = 0
    with pq.ParquetWriter(path, SAMPLES, compression="zstd", use_dictionary=False) as writer:
        for source in sources:
            for shard, row, keys, batch in _captions_by_shard(source, ["targets", "target_weights", "weight"]):
                heldout = heldout_mask(keys, heldout_share)
                weight = np.where(heldout, 0.0, batch["weight"].to_numpy().astype(np.float64) * scales[source.name])
                n = len(batch)
                values = {
                    "shard": pa.array(np.full(n, shard.position, dtype=np.uint16)),
                    "row": pa.array(np.arange(row, row + n, dtype=np.uint32)),
                    "targets": batch["targets"],
                    "target_weights": batch["target_weights"],
                    "weight": pa.array(weight.astype(np.float32)),
                    "heldout": pa.array(heldout),
                }
                writer.write_batch(pa.record_batch([values[name] for name in SAMPLES.names], schema=SAMPLES))
                samples += n
                heldout_samples += int(heldout.sum())
    return samples, heldout_samples
