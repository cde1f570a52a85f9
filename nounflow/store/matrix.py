"""The vectors of a training set: one matrix in memory where it fits, else rows gathered from mapped shards."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nounflow.device import free_memory
from nounflow.errors import DamagedFileError, MismatchError
from nounflow.schemas.embeddings import ShardManifest, ShardReference
from nounflow.store.rows import StoredRows
from nounflow.store.shards import VECTORS, array_folder, checked_rows, map_rows, read_manifest, verify_shard

_SHARE = 0.6  # of the memory that is free: the rest is for the index, the model and the page cache


class MappedMatrix:
    """Rows of several mapped shards as one read-only float16 matrix [rows, dim]; index it with an array of rows."""

    dtype = np.dtype(np.float16)

    def __init__(self, shards: Sequence[StoredRows], dim: int, files: Sequence[Path] = ()) -> None:
        """`files`: what the shards are mapped from. One that is changed in place is noticed before it is read: to read
        what was cut off would kill the process without a word.
        """
        self._shards = shards
        self._files: list[tuple[Path | None, tuple[int, int] | None]]
        self._files = [(path, _state(path)) for path in files] or [(None, None)] * len(shards)
        self._ends = np.cumsum([len(rows) for rows in shards])
        self.shape = (int(self._ends[-1]), dim)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, by their numbers [n] in any order: float16 [n, dim]."""
        order = np.argsort(rows, kind="stable")  # one sweep over each file
        wanted = np.asarray(rows)[order]
        cuts = np.searchsorted(wanted, self._ends)
        gathered = np.empty((len(wanted), self.shape[1]), dtype=np.float16)
        first = 0
        for shard, (path, state), end, last in zip(self._shards, self._files, self._ends, cuts, strict=True):
            if first < last:
                if path is not None and _state(path) != state:
                    raise DamagedFileError(
                        "A shard was changed while it was being read",
                        where=path,
                        fix="let no other program write below results/; delete the shard's manifest and run again",
                    )
                gathered[order[first:last]] = shard[wanted[first:last] - (end - len(shard))]
            first = int(last)
        return gathered


def load_matrix(
    folder: Path, references: Sequence[ShardReference], dim: int, memory: int | None
) -> np.ndarray | MappedMatrix:
    """All vectors of a training set, float16 [samples, dim], every byte of its shards checked.

    Args:
        folder: of the training set.
        memory: bytes that may be used; None: a share of what is free now. Beyond it, shards are mapped.

    Raises:
        DamagedFileError: a shard's bytes are not those written, or it is missing.
        MismatchError: a shard was made anew since it was merged.
    """
    paths = [folder / reference.path for reference in references]
    manifests = [merged_shard(path, reference) for path, reference in zip(paths, references, strict=True)]
    rows = sum(manifest.rows for manifest in manifests)
    threads = max(1, min(4, os.cpu_count() or 1))  # digests are the work, and they run side by side
    with ThreadPoolExecutor(threads) as pool:
        if rows * dim * 2 > (_SHARE * (free_memory("cpu") or math.inf) if memory is None else memory):
            list(pool.map(verify_shard, paths))
            files = [array_folder(path) / VECTORS for path in paths]
            return MappedMatrix([map_rows(*pair) for pair in zip(paths, manifests, strict=True)], dim, files)
        matrix = np.empty((rows, dim), dtype=np.float16)
        starts = np.cumsum([0, *(manifest.rows for manifest in manifests[:-1])])
        list(pool.map(lambda part: _fill(matrix, *part), zip(starts.tolist(), paths, manifests, strict=True)))
    return matrix


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def merged_shard(path: Path, reference: ShardReference) -> ShardManifest:
    """The manifest of a training set's shard, checked as in `read_manifest`.

    Raises:
        MismatchError: the shard was made anew since it was merged.
    """
    manifest = read_manifest(path)
    if manifest.digest != reference.digest:
        raise MismatchError(
            f"The shard was made anew since it was merged ({manifest.digest[:12]}, merged was {reference.digest[:12]})",
            where=path,
            fix="delete the training set's manifest and run again",
        )
    return manifest


def _fill(matrix: np.ndarray, start: int, path: Path, manifest: ShardManifest) -> None:
    for first, rows in checked_rows(path, manifest):
        matrix[start + first : start + first + len(rows)] = rows[:]
