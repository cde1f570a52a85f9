"""The vectors of shards as one file for other programs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nounflow.atomic import atomic_file
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_text
from nounflow.schemas.embeddings import ShardManifest
from nounflow.schemas.tables import CAPTIONS, read_columns
from nounflow.store.shards import check_identity, checked_rows, read_manifest


def export(paths: Sequence[Path], out: Path, captions: Path | None) -> tuple[int, int]:
    """Write the vectors of shards as one `.npy` matrix or `.parquet` table; returns (rows, dim).

    Args:
        captions: captions file of the source, whose texts become a column of the table.

    Raises:
        MismatchError: shards of several embedders, or of other captions.
        DamagedFileError: a shard is damaged; nothing is written.
    """
    manifests = [read_manifest(path) for path in paths]
    for path, manifest in zip(paths, manifests, strict=True):
        check_identity(manifest.embedder, manifests[0].embedder, path, paths[0])
    writers = {".npy": _write_npy, ".parquet": _write_parquet}
    if out.suffix not in writers:
        raise NounflowError("Unknown kind of file", where=out, fix=f"end the name in {' or '.join(writers)}")
    with atomic_file(out) as temporary:
        writers[out.suffix](temporary, list(zip(paths, manifests, strict=True)), captions)
    return sum(manifest.rows for manifest in manifests), manifests[0].dim


def _write_npy(out: Path, shards: Sequence[tuple[Path, ShardManifest]], _captions: Path | None) -> None:
    rows, dim = sum(manifest.rows for _path, manifest in shards), shards[0][1].dim
    with out.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, {"descr": "<f2", "fortran_order": False, "shape": (rows, dim)})
        for path, manifest in shards:
            for _start, block in checked_rows(path, manifest):
                handle.write(np.ascontiguousarray(block[:]).tobytes())


def _write_parquet(out: Path, shards: Sequence[tuple[Path, ShardManifest]], captions: Path | None) -> None:
    dim = shards[0][1].dim
    schema = pa.schema(
        [("source", pa.string()), ("row", pa.uint32()), ("text", pa.string()), ("vector", pa.list_(pa.float16(), dim))]
    )
    texts = _texts(captions) if captions else None
    with pq.ParquetWriter(out, schema, use_dictionary=["source"], compression="none") as writer:
        for path, manifest in shards:
            names = _names(path, manifest, texts)
            for start, block in checked_rows(path, manifest):
                n = len(block)
                columns = [
                    pa.array([manifest.source] * n),
                    pa.array(np.arange(manifest.start + start, manifest.start + start + n, dtype=np.uint32)),
                    pa.array(names[start : start + n] if names else [None] * n, pa.string()),
                    pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(block[:]).reshape(-1)), dim),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _texts(captions: Path) -> list[str]:
    batches = read_columns(captions, CAPTIONS, "captions file", ["text"])
    return [text for batch in batches for text in batch["text"].to_pylist()]


def _names(path: Path, manifest: ShardManifest, texts: list[str] | None) -> Sequence[str]:
    """What the rows of a shard are called: image files, or texts where the captions are given."""
    if texts is None:
        return manifest.files
    names = texts[manifest.start : manifest.start + manifest.rows]
    if sha256_text(*names) != manifest.texts:
        raise MismatchError(
            f"The captions are not those of the shard (its source is '{manifest.source}')",
            where=path,
            fix="give the captions file that the shard was made from",
        )
    return names
