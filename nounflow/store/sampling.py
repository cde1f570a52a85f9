"""Draws by weight, and the batches of training vectors that follow from them.

What is drawn at a step depends on (seed, step) and the weights alone: not on earlier steps, and not on whether the
vectors lie on the device, in memory or on disk. On disk, the draws of many steps are looked up together in one sweep
over the shards into a bounded buffer, and given out in the order drawn.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from nounflow.ahead import map_ahead
from nounflow.device import free_memory, on_device
from nounflow.store.matrix import MappedMatrix
from nounflow.streams import stream

_BUFFER_BYTES = 1 << 30  # one sweep's vectors; two are held, one in use and one being read
_GUIDE_BLOCK = 1 << 20
_GATHER_ROWS = 2048  # copied by one thread at a time
_DEVICE_SHARE = 0.5  # of the accelerator's free memory


class WeightedRows:
    """Inverts the cumulative weights by a guide table (Chen and Asau 1974): about one look instead of a search.

    Gives exactly what `np.searchsorted(cumulative, u * total, side="right")` gives; from 50 million rows 60 times as
    fast.
    """

    def __init__(self, weights: np.ndarray) -> None:
        """`weights` [rows], 0 or more; not all of them 0."""
        self._cumulative = np.cumsum(weights, dtype=np.float64)
        total = self._cumulative[-1]
        last = np.searchsorted(self._cumulative, total, side="left")  # of the rows that weigh something
        buckets = 1 << max(1, len(weights) - 1).bit_length()  # a power of two: u * buckets is exact
        self._guide = np.empty(buckets + 1, dtype=np.uint32)
        for first in range(0, buckets + 1, _GUIDE_BLOCK):
            edges = np.arange(first, min(first + _GUIDE_BLOCK, buckets + 1)) / buckets * total
            self._guide[first : first + len(edges)] = np.minimum(
                np.searchsorted(self._cumulative, edges, side="right"), last
            )

    def at(self, uniforms: np.ndarray) -> np.ndarray:
        """Rows (int64) at numbers in [0, 1)."""
        bucket = (uniforms * (len(self._guide) - 1)).astype(np.int64)
        height = uniforms * self._cumulative[-1]
        low = self._guide[bucket].astype(np.int64)
        high = self._guide[bucket + 1].astype(np.int64)
        open_ = np.flatnonzero(low < high)
        while len(open_):  # halve what is still undecided
            middle = (low[open_] + high[open_]) // 2
            above = self._cumulative[middle] <= height[open_]
            low[open_] = np.where(above, middle + 1, low[open_])
            high[open_] = np.where(above, high[open_], middle)
            open_ = open_[low[open_] < high[open_]]
        return low


def training_batches(
    draw: Callable[[np.random.Generator, int], np.ndarray],
    vectors: np.ndarray | MappedMatrix,
    seed: int,
    batch_size: int,
    steps: range,
    device: str,
    buffer_bytes: int = _BUFFER_BYTES,
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """The training samples of some steps: (rows [batch], their vectors on the device, float16 [batch, dim]).

    Args:
        draw: gives rows by weight from a generator and a number, as `TrainingSet.draw`.
        steps: which steps; a resumed run gives range(done, all).
        buffer_bytes: vectors read together where `vectors` lie on disk.
    """

    def rows_of(step: int) -> np.ndarray:
        return draw(stream(seed, "samples", step), batch_size)

    if isinstance(vectors, MappedMatrix):
        for rows, found in _swept(rows_of, vectors, batch_size, steps, buffer_bytes):
            yield rows, on_device(torch.from_numpy(found), device)
        return
    if device != "cpu" and vectors.nbytes < _DEVICE_SHARE * (free_memory(device) or 0):
        matrix = torch.from_numpy(vectors).to(device)
        for step in steps:
            rows = rows_of(step)
            yield rows, matrix.index_select(0, on_device(torch.from_numpy(rows), device))
        return
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for step in steps:
            rows = rows_of(step)
            yield rows, on_device(torch.from_numpy(_gathered(vectors, rows, pool)), device)


def _gathered(matrix: np.ndarray, rows: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
    """`matrix[rows]`, in several threads where there is enough to copy; torch's own gather is slower by far."""
    found = np.empty((len(rows), matrix.shape[1]), dtype=matrix.dtype)
    pieces = range(0, len(rows), _GATHER_ROWS)

    def copy(first: int) -> None:
        piece = slice(first, first + _GATHER_ROWS)
        np.take(matrix, rows[piece], axis=0, out=found[piece], mode="clip")  # the mode spares numpy a second buffer

    list(pool.map(copy, pieces) if len(pieces) > 1 else map(copy, pieces))
    return found


def _swept(
    rows_of: Callable[[int], np.ndarray], vectors: MappedMatrix, batch_size: int, steps: range, buffer_bytes: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches from disk: while one buffer is used up, the next is read."""
    together = max(1, buffer_bytes // (batch_size * vectors.shape[1] * vectors.dtype.itemsize))
    sweeps = [steps[first : first + together] for first in range(0, len(steps), together)]

    def read(sweep: range) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([rows_of(step) for step in sweep])
        return rows, vectors[rows]

    with ThreadPoolExecutor(1) as reader:
        for rows, found in map_ahead(reader, read, sweeps, 1):
            for first in range(0, len(rows), batch_size):
                yield rows[first : first + batch_size], found[first : first + batch_size]
