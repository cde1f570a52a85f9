"""One job's embeddings: a Zarr v3 array of a single chunk, and a manifest, written last, that knows what is whole.

Zarr reads a lost chunk as fill value without a word, so readers trust the manifest: size and SHA-256 of the
payload are checked, then the payload is memory-mapped (it starts at byte 0 of the only chunk).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec

from nounflow.errors import DamagedFileError, MismatchError
from nounflow.files import atomic_folder, sha256_text
from nounflow.schemas.documents import EmbedderIdentity, ShardManifest, read_document, write_document

_CHUNK = Path("c/0/0")
_CRC_BYTES = 4
DTYPE = "float16"


def texts_digest(texts: Sequence[str]) -> str:
    """SHA-256 over texts in order; ties a shard to the rows of its captions file."""
    return sha256_text(*texts)


def array_folder(manifest_path: Path) -> Path:
    """The Zarr store that stands beside a shard's manifest."""
    return manifest_path.with_suffix(".zarr")


def write_shard(manifest_path: Path, vectors: np.ndarray, **fields: Any) -> ShardManifest:
    """Write vectors [rows, dim] as fp16 in one assignment, then their manifest.

    `fields` are those of ShardManifest that are not derived from the vectors. Replaces an older shard;
    at no moment does a manifest stand beside an array that it does not describe.
    """
    manifest_path = Path(manifest_path)
    vectors = np.ascontiguousarray(vectors, dtype=DTYPE)
    rows, dim = vectors.shape
    manifest_path.unlink(missing_ok=True)
    with atomic_folder(array_folder(manifest_path)) as folder:
        array = zarr.create_array(
            store=str(folder),
            shape=vectors.shape,
            chunks=(max(rows, 1), dim),
            dtype=DTYPE,
            fill_value=np.nan,
            serializer=BytesCodec(endian="little"),
            compressors=[Crc32cCodec()],
            overwrite=True,
        )
        array[:] = vectors
    payload = vectors.astype("<f2", copy=False).tobytes()
    manifest = ShardManifest(
        rows=rows,
        dim=dim,
        dtype=DTYPE,
        bytes=len(payload),
        sha256=_sha256(payload),
        **fields,
    )
    write_document(manifest_path, manifest)
    return manifest


def open_shard(manifest_path: Path) -> tuple[ShardManifest, np.ndarray]:
    """Check a shard against its manifest and map it: (manifest, read-only fp16 array [rows, dim]).

    Raises:
        DamagedFileError: the array is lost, cut off, or any of its bytes changed.
    """
    manifest_path = Path(manifest_path)
    manifest = read_document(ShardManifest, manifest_path, "shard manifest")
    folder = array_folder(manifest_path)
    chunk = folder / _CHUNK
    fix = f"delete {manifest_path.name} and run the same command again: only this shard is made anew"
    if not (folder / "zarr.json").is_file() or (manifest.rows and not chunk.is_file()):
        raise DamagedFileError("A shard's array is missing", where=folder, fix=fix)
    if not manifest.rows:  # Zarr writes no chunk for an empty array
        return manifest, np.zeros((0, manifest.dim), dtype="<f2")
    found = chunk.stat().st_size
    if found != manifest.bytes + _CRC_BYTES or manifest.bytes != manifest.rows * manifest.dim * 2:
        raise DamagedFileError(
            f"A shard has {found:,} bytes where its manifest promises {manifest.bytes + _CRC_BYTES:,}",
            where=chunk,
            fix=fix,
        )
    vectors = np.memmap(chunk, dtype="<f2", mode="r", shape=(manifest.rows, manifest.dim))
    if _sha256(vectors) != manifest.sha256:
        raise DamagedFileError("A shard's bytes are not those that were written", where=chunk, fix=fix)
    return manifest, vectors


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


def _sha256(payload: bytes | np.ndarray) -> str:
    return hashlib.sha256(payload if isinstance(payload, bytes) else payload.data).hexdigest()
