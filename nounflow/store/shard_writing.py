"""Writing a shard (`nounflow.store.shards`): arrays of one chunk each, and their manifest, last."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec

from nounflow.atomic import atomic_folder
from nounflow.errors import MismatchError
from nounflow.files import sha256_file, sha256_json
from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import EmbedderIdentity, ShardManifest, StoredFile
from nounflow.store.rows import StoredRows, StoredType, encode
from nounflow.store.shards import BOX_COLUMNS, KEY_BYTES, array_folder, sealed


def write_shard(
    manifest_path: Path,
    vectors: np.ndarray | StoredRows,
    *,
    keys: np.ndarray | None = None,
    boxes: np.ndarray | None = None,
    dtype: StoredType = "float16",
    **fields: Any,
) -> ShardManifest:
    """Write vectors [rows, dim], each array in one assignment, then their manifest.

    Replaces an older shard; at no moment does a manifest stand beside arrays that it does not describe.

    Args:
        vectors: unit rows, or rows that are encoded already.
        keys: `text_keys` of the texts, by which other jobs find their vectors.
        boxes: of image embeddings with several rows an image, float32 [rows, 6]; see `read_boxes`.
        dtype: how unit rows are stored.
        fields: those of ShardManifest that are not derived from the vectors.

    Raises:
        MismatchError: the vectors have not their embedder's dimension.
        NounflowError: a vector holds NaN or is not of unit length, or the disk is full; nothing is left behind.
    """
    embedder: EmbedderIdentity = fields["embedder"]
    rows, dim = vectors.shape
    if dim != embedder.dim:
        raise MismatchError(
            f"The vectors have {dim} dimensions, their embedder {embedder.spec} has {embedder.dim}", where=manifest_path
        )
    stored = vectors if isinstance(vectors, StoredRows) else encode(vectors, dtype, manifest_path)
    arrays = {"vectors": stored.values}
    if stored.scales is not None:
        arrays["scales"] = stored.scales
    if keys is not None:
        assert keys.shape == (rows, KEY_BYTES)
        arrays["keys"] = keys
    if boxes is not None:
        assert boxes.shape == (rows, BOX_COLUMNS)
        arrays["boxes"] = boxes.astype("<f4")
    manifest_path.unlink(missing_ok=True)
    with atomic_folder(array_folder(manifest_path)) as folder:
        _write_arrays(folder, arrays)
        parts = {
            str(path.relative_to(folder).as_posix()): StoredFile(bytes=path.stat().st_size, sha256=sha256_file(path))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    manifest = sealed(
        ShardManifest(rows=rows, dim=dim, dtype=stored.values.dtype.name, parts=parts, digest="", **fields)
    )
    write_document(manifest_path, manifest)
    return manifest


def write_image_shard(
    manifest_path: Path, vectors: np.ndarray, *, image_set: str, folder: Path, files: Sequence[str], **fields: Any
) -> ShardManifest:
    """Write the vectors of images below `folder`, a row or some boxes each; `fields` as of `write_shard`."""
    fields |= {"lexicon": "", "source": image_set, "start": 0, "batch_tokens": 0, "files": tuple(files)}
    digests = sha256_json([[file, sha256_file(folder / file)] for file in files])
    return write_shard(manifest_path, vectors, texts=digests, **fields)


def _write_arrays(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    group = zarr.create_group(store=str(folder))
    for name, values in arrays.items():
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=(max(len(values), 1), *values.shape[1:]),
            dtype=values.dtype.newbyteorder("="),
            fill_value=np.nan if values.dtype.kind == "f" else 0,
            serializer=BytesCodec(endian="little" if values.dtype.itemsize > 1 else None),
            compressors=[Crc32cCodec()],
        )
        array[:] = values
