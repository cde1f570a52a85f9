"""One job's embeddings: a Zarr v3 group whose arrays have one chunk each, and a manifest, written last.

    0.json                  the manifest: what a whole shard is
    0.zarr/vectors/c/0/0    float16 or int8 [rows, dim], then 4 bytes of CRC-32C
    0.zarr/scales/c/0       float32 [rows], int8 only: a row is scale * values
    0.zarr/keys/c/0/0       uint8 [rows, 16], the 128-bit keys of the texts (none for images)
    0.zarr/boxes/c/0/0      float32 [rows, 6], views of images only: which image, x0, y0, x1, y1, objectness

Zarr reads a lost chunk as fill value without a word, so readers trust the manifest: the size and SHA-256 of every
file are checked, and a digest over the manifest itself. Then the payload, which starts at byte 0, may be mapped.
"""

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from nounflow.errors import DamagedFileError, MismatchError
from nounflow.files import sha256_json
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import EmbedderIdentity, ShardManifest, TrainingSetManifest
from nounflow.store.rows import StoredRows

_BLOCK_BYTES = 4 << 20
KEY_BYTES = 16  # of a text
BOX_COLUMNS = 6  # position in the manifest's files; x0, y0, x1, y1 in pixels of the upright image; objectness


def array_folder(manifest_path: Path) -> Path:
    """The Zarr store that stands beside a shard's manifest."""
    return manifest_path.with_suffix(".zarr")


def find_manifests(folder: Path) -> Iterator[Path]:
    """Every file below a folder that may be a shard's manifest, in a fixed order."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.endswith(".zarr") and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".json") and not name.endswith(".counts.json") and not name.startswith("."):
                yield Path(place, name)


Sealed = TypeVar("Sealed", ShardManifest, TrainingSetManifest)


def sealed(manifest: Sealed) -> Sealed:
    """The manifest with the digest over all its other fields."""
    return manifest.model_copy(update={"digest": sha256_json(manifest.model_dump(mode="json", exclude={"digest"}))})


def read_manifest(manifest_path: Path) -> ShardManifest:
    """Read a shard's manifest and check it, and that its files are there in full size. Their bytes are not read.

    Raises:
        DamagedFileError: the manifest was changed, or a file is lost, cut off or grown.
    """
    manifest = read_document(ShardManifest, manifest_path, "shard manifest")
    if manifest != sealed(manifest):
        raise _damaged("A shard's manifest is not the one that was written", manifest_path, manifest_path)
    for name, part in manifest.parts.items():
        path = array_folder(manifest_path) / name
        if not path.is_file():
            raise _damaged("A shard's array is missing", path, manifest_path)
        if (found := path.stat().st_size) != part.bytes:
            what = f"A shard has {found:,} bytes where its manifest promises {part.bytes:,}"
            raise _damaged(what, path, manifest_path)
    return manifest


def verify_shard(manifest_path: Path) -> ShardManifest:
    """Check every byte of a shard against its manifest.

    Raises:
        DamagedFileError: a file is lost or cut off, or any of its bytes changed.
    """
    manifest = read_manifest(manifest_path)
    for name in manifest.parts:
        for _block in _checked_blocks(manifest_path, manifest, name, _BLOCK_BYTES):
            pass
    return manifest


def read_shard(manifest_path: Path) -> tuple[ShardManifest, np.ndarray]:
    """A shard in memory, checked byte for byte: (manifest, float16 [rows, dim]).

    Nothing stays mapped: to read what was cut off meanwhile would kill the process without a word.

    Raises:
        DamagedFileError: a file is lost or cut off, or any of its bytes changed.
    """
    manifest = verify_shard(manifest_path)
    vectors = np.empty((manifest.rows, manifest.dim), dtype=np.float16)
    for start, rows in checked_rows(manifest_path, manifest):
        vectors[start : start + len(rows)] = rows[:]
    return manifest, vectors


def map_rows(manifest_path: Path, manifest: ShardManifest) -> StoredRows:
    """The rows of a shard that was checked, mapped read-only."""
    values = _mapped(manifest_path, manifest, "vectors")
    return StoredRows(values, _mapped(manifest_path, manifest, "scales") if manifest.dtype == "int8" else None)


def read_keys(manifest_path: Path, manifest: ShardManifest) -> np.ndarray:
    """The keys of a shard's texts, uint8 [rows, 16], checked against the manifest; none ([0, 16]) for images."""
    return _read_array(manifest_path, manifest, "keys")


def read_boxes(manifest_path: Path, manifest: ShardManifest) -> np.ndarray:
    """The box of each row, checked: float32 [rows, 6], see `BOX_COLUMNS`; [0, 6] where rows are whole images."""
    return _read_array(manifest_path, manifest, "boxes")


def checked_rows(manifest_path: Path, manifest: ShardManifest) -> Iterator[tuple[int, StoredRows]]:
    """All rows in one pass of plain reads: (first row, rows). What was given out counts only if the pass ends well.

    Raises:
        DamagedFileError: after the last rows, where they are not those that were written.
    """
    scales = _read_array(manifest_path, manifest, "scales") if manifest.dtype == "int8" else None
    dtype, shape = _form(manifest, "vectors")
    row_bytes = dtype.itemsize * shape[1]
    block_bytes = max(1, _BLOCK_BYTES // row_bytes) * row_bytes
    start = 0
    for block in _checked_blocks(manifest_path, manifest, _chunk("vectors"), block_bytes):
        rows = min(len(block) // row_bytes, manifest.rows - start)  # the last block ends with the CRC
        if rows:
            values = np.frombuffer(block, dtype=dtype, count=rows * shape[1]).reshape(rows, shape[1])
            yield start, StoredRows(values, None if scales is None else scales[start : start + rows])
        start += rows


def check_identity(found: EmbedderIdentity, expected: EmbedderIdentity, found_in: object, expected_in: object) -> None:
    """Refuse vectors of another embedder, naming both sides and what differs."""
    if found.digest == expected.digest:
        return
    differing = [
        f"{name}: {getattr(found, name)!r} against {getattr(expected, name)!r}"
        for name in type(found).model_fields
        if name != "digest" and getattr(found, name) != getattr(expected, name)
    ]
    raise MismatchError(
        "The embeddings come from another embedder:\n    " + "\n    ".join(differing),
        where=f"{found_in} against {expected_in}",
        fix="delete the older of the two and run again, or use the run's own embedder",
    )


def _form(manifest: ShardManifest, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape of one array."""
    if name == "keys":
        return np.dtype(np.uint8), (manifest.rows, KEY_BYTES)
    if name == "scales":
        return np.dtype("<f4"), (manifest.rows,)
    if name == "boxes":
        return np.dtype("<f4"), (manifest.rows, BOX_COLUMNS)
    return np.dtype(manifest.dtype).newbyteorder("<"), (manifest.rows, manifest.dim)


VECTORS = "vectors/c/0/0"  # the file of a shard's vectors


def _chunk(name: str) -> str:
    """The only chunk of an array; Zarr writes none for an empty one."""
    return f"{name}/c/0" if name == "scales" else f"{name}/c/0/0"


def _checked_blocks(manifest_path: Path, manifest: ShardManifest, name: str, block_bytes: int) -> Iterator[bytes]:
    """A file's bytes in blocks; raises after the last one if they are not those of the manifest."""
    if name not in manifest.parts:  # an empty array
        return
    path, digest = array_folder(manifest_path) / name, hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(block_bytes):
            digest.update(block)
            yield block
    if digest.hexdigest() != manifest.parts[name].sha256:
        raise _damaged("A shard's bytes are not those that were written", path, manifest_path)


def _read_array(manifest_path: Path, manifest: ShardManifest, name: str) -> np.ndarray:
    """A small array in memory, checked; [0, ...] if the shard has none of this name."""
    dtype, shape = _form(manifest, name)
    if _chunk(name) not in manifest.parts:
        return np.zeros((0, *shape[1:]), dtype=dtype)
    payload = b"".join(_checked_blocks(manifest_path, manifest, _chunk(name), _BLOCK_BYTES))
    return np.frombuffer(payload, dtype, count=math.prod(shape)).reshape(shape)


def _mapped(manifest_path: Path, manifest: ShardManifest, name: str) -> np.ndarray:
    dtype, shape = _form(manifest, name)
    if not manifest.rows:
        return np.zeros(shape, dtype=dtype)
    return np.memmap(array_folder(manifest_path) / _chunk(name), dtype=dtype, mode="r", shape=shape)


def _damaged(what: str, where: Path, manifest_path: Path) -> DamagedFileError:
    fix = f"delete {manifest_path.name} and run the same command again: only this shard is made anew"
    return DamagedFileError(what, where=where, fix=fix)
