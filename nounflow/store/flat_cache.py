"""Import of the flat embedding cache of the NOVIC authors' programs, from its documented layout.

One little-endian file: a header of 128 bytes, target strings, their token ids and padding mask, then for N records M
target ids (0: none) and M weights each, then N float32 vectors. A merged cache stores repeats again and again; here
equal records become one, with their number as sampling weight. The file holds no texts, so a record's key stands for
its text.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nounflow.atomic import atomic_file
from nounflow.counts import Counts
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.files import sha256_text
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.tables import CAPTIONS, NOUNS, lexicon_digest, write_table
from nounflow.store.merging import merge
from nounflow.store.shard_writing import write_shard
from nounflow.store.texts import text_keys
from nounflow.text import canon

_HEADER = struct.Struct("<32sB5?32s32sIIHHHIHHHH")
_INTEGERS = ("<i1", "<i2", "<i4", "<i8")
_FLOATS = ("<f2", None, "<f4", "<f8")  # numpy has no bfloat16; only float32 is ever written
_SOURCE = "imported"
_BLOCK = 1 << 14
_SHARD_ROWS = 1 << 18


@dataclass(frozen=True)
class FlatCache:
    """A flat cache, its large blocks mapped."""

    targets: tuple[str, ...]  # by id; entry 0 is no target
    ids: np.ndarray  # int32 [records, M]
    weights: np.ndarray  # float [records, M]
    vectors: np.ndarray  # float [records, dim]
    embedder_config: str  # SHA-256 of the embedder's settings, as its writer had them


def read_flat_cache(path: Path) -> FlatCache:
    """Check a flat cache's header and size, and map its blocks.

    Raises:
        DamagedFileError: it is no such file, was never finished, or has not the size that its header promises.
        NounflowError: it has no targets to train on.
    """
    try:
        size, header = path.stat().st_size, path.open("rb").read(_HEADER.size)
    except OSError as error:
        raise NounflowError(f"The cache cannot be read ({error.strerror})", where=path, fix="check the path") from error
    if len(header) < _HEADER.size or not any(header[:32]):
        raise DamagedFileError(
            "The cache was never finished: its mark is not written", where=path, fix="make the cache anew"
        )
    (_magic, version, has_targets, _full, _default, _unit, _strict, embedder, _target_config,
     n_targets, string_bytes, columns, token_type, _mask_type, records, per_record, id_type, dim, float_type,
     ) = _HEADER.unpack(header)  # fmt: skip
    if version != 1:
        raise DamagedFileError(f"The cache has version {version}, known is version 1", where=path)
    if not has_targets:
        raise NounflowError("The cache has no targets, so there is nothing to train on", where=path)
    float_name = _FLOATS[float_type] if float_type < len(_FLOATS) else None
    if max(token_type, id_type) >= len(_INTEGERS) or float_name is None:
        raise DamagedFileError(
            f"Unknown number types in the header: tokens {token_type}, ids {id_type}, vectors {float_type}", where=path
        )
    ids, floats = np.dtype(_INTEGERS[id_type]), np.dtype(float_name)
    at_ids = _HEADER.size + string_bytes + n_targets * columns * (np.dtype(_INTEGERS[token_type]).itemsize + 1)
    at_weights = at_ids + records * per_record * ids.itemsize
    at_vectors = at_weights + records * per_record * floats.itemsize
    if size != (promised := at_vectors + records * dim * floats.itemsize):
        raise DamagedFileError(
            f"The cache has {size:,} bytes where its header promises {promised:,}", where=path, fix="copy it anew"
        )
    if not records:
        raise NounflowError("The cache holds no records", where=path)
    return FlatCache(
        targets=_target_strings(path, string_bytes, n_targets),
        ids=np.memmap(path, ids, "r", at_ids, (records, per_record)),
        weights=np.memmap(path, floats, "r", at_weights, (records, per_record)),
        vectors=np.memmap(path, floats, "r", at_vectors, (records, dim)),
        embedder_config=embedder.hex(),
    )


def import_flat_cache(cache: FlatCache, folder: Path, embedder: EmbedderIdentity, heldout_share: float) -> Counts:
    """Write a flat cache as lexicon, captions, shards and a training set into `folder`.

    Raises:
        MismatchError: the vectors have not the embedder's dimension.
        NounflowError: a target id is unknown, or a vector is no unit vector.
    """
    counts = Counts("import")
    rows, weight = _distinct(cache)
    flow = counts.flow("records", len(cache.vectors), "records")
    flow.drop(len(cache.vectors) - len(rows), "repeats of another record, kept as its weight")
    flow.out(len(rows), "distinct records")
    nouns = cache.targets[1:]
    _write_nouns(folder / "nouns.parquet", nouns)
    shards: list[Path] = []
    with (
        atomic_file(folder / "captions.parquet") as temporary,
        pq.ParquetWriter(temporary, CAPTIONS, compression="zstd") as captions,
    ):
        for start in range(0, len(rows), _SHARD_ROWS):
            part = rows[start : start + _SHARD_ROWS]
            keys = _keys(cache, part)
            names = [f"{_SOURCE} {key.tobytes().hex()}" for key in keys]
            captions.write_table(_captions(cache, part, weight[start : start + _SHARD_ROWS], names))
            shards.append(folder / "shards" / f"{len(shards)}.json")
            write_shard(
                shards[-1],
                np.asarray(cache.vectors[part], dtype=np.float32),
                keys=keys,
                embedder=embedder,
                lexicon=lexicon_digest(nouns),
                source=_SOURCE,
                start=start,
                texts=sha256_text(*names),
                batch_tokens=0,
            )
    merged = merge(
        folder=folder,
        nouns_path=folder / "nouns.parquet",
        captions={_SOURCE: folder / "captions.parquet"},
        shard_manifests={_SOURCE: shards},
        mixture={_SOURCE: 1.0},
        heldout_share=heldout_share,
    )
    counts.flows += merged.flows
    return counts


def _target_strings(path: Path, string_bytes: int, n_targets: int) -> tuple[str, ...]:
    with path.open("rb") as handle:
        handle.seek(_HEADER.size)
        block = handle.read(string_bytes)
    try:
        targets = tuple(block.decode().split("\0"))
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"The target strings are no UTF-8 ({error})", where=path) from error
    if len(targets) == n_targets + 1 and not targets[-1]:  # closed instead of separated
        targets = targets[:-1]
    if len(targets) != n_targets or targets[0]:
        raise DamagedFileError(
            f"The cache holds {len(targets):,} target strings where its header promises {n_targets:,}", where=path
        )
    return targets


def _keys(cache: FlatCache, rows: np.ndarray) -> np.ndarray:
    """Keys over vector, ids and weights of some records, read in blocks: uint8 [records, 16]."""
    keys = []
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        columns = [np.ascontiguousarray(block[part]) for block in (cache.vectors, cache.ids, cache.weights)]
        keys.append(text_keys(b"".join(column[i].tobytes() for column in columns) for i in range(len(part))))
    return np.concatenate(keys)


def _distinct(cache: FlatCache) -> tuple[np.ndarray, np.ndarray]:
    """First row of each distinct record, ascending, and how often it stands in the file."""
    keys = _keys(cache, np.arange(len(cache.vectors))).view("V16")[:, 0]
    _unique, first, repeats = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], repeats[order]


def _captions(cache: FlatCache, rows: np.ndarray, weight: np.ndarray, names: list[str]) -> pa.Table:
    """Some records as rows of a captions file: ids from 0, target weights that sum to 1."""
    ids, weights = cache.ids[rows].astype(np.int64), cache.weights[rows].astype(np.float32)
    named = ids > 0
    if (ids < 0).any() or (ids >= len(cache.targets)).any() or not named.any(axis=1).all():
        raise NounflowError("A record has no target, or one that the cache does not list")
    weights = np.where(named, weights, 0)
    totals = weights.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        raise NounflowError("The target weights of a record do not sum to more than 0")
    offsets = pa.array(np.concatenate([[0], np.cumsum(named.sum(axis=1))]).astype(np.int32))
    columns = {
        "text": pa.array(names, pa.string()),
        "targets": pa.ListArray.from_arrays(offsets, pa.array((ids[named] - 1).astype(np.uint32))),
        "target_weights": pa.ListArray.from_arrays(offsets, pa.array((weights / totals)[named])),
        "weight": pa.array(weight.astype(np.float32)),
        "template": pa.array([_SOURCE] * len(rows)),
    }
    return pa.table(columns).cast(CAPTIONS)


def _write_nouns(path: Path, nouns: tuple[str, ...]) -> None:
    n = len(nouns)
    unknown = ("synsets", "hypernyms", "plurals", "plural_shares")
    columns = {
        "id": range(n), "key": nouns, "noun": nouns, "canon": [canon(noun) for noun in nouns], "kind": [""] * n,
        "gloss": [""] * n, "singulars": [[noun] for noun in nouns], "singular_shares": [[1.0]] * n,
        "frequency": [0.0] * n, "weight": [1.0] * n, **dict.fromkeys(unknown, [[]] * n),
    }  # fmt: skip
    write_table(path, pl.DataFrame(columns, strict=False), NOUNS)
