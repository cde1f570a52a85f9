"""Length-bucketed batches of fixed shape, so that a text's vector does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_EXACT = 32  # up to this many tokens each length is a bucket of its own, without any padding
_STEP = 8


@dataclass(frozen=True)
class Batch:
    """Rows to encode together; fewer than `size` in a bucket's last batch, which dummies fill up."""

    rows: np.ndarray  # int64 [<= size], indices of texts
    width: int  # tokens in each row
    size: int  # rows in the batch


def bucket_widths(lengths: np.ndarray) -> np.ndarray:
    """The padded width of each length."""
    return np.where(lengths <= _EXACT, lengths, -(-lengths // _STEP) * _STEP)


def plan_batches(lengths: Sequence[int] | np.ndarray, batch_tokens: int) -> list[Batch]:
    """Every row in exactly one batch; the shape of a batch depends on its width and `batch_tokens` only.

    A batch has at least two rows: a single row takes another path through the matrix library,
    with other rounding.
    """
    widths = bucket_widths(np.asarray(lengths, dtype=np.int64))
    batches = []
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        size = max(2, batch_tokens // width)
        batches += [Batch(rows[start : start + size], width, size) for start in range(0, len(rows), size)]
    return batches


def fill_batch(batch: Batch, tokens: Sequence[Sequence[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids [size, width] and their mask, True where a token counts. A dummy is one padding token that counts."""
    ids = np.full((batch.size, batch.width), pad, dtype=np.int64)
    mask = np.zeros((batch.size, batch.width), dtype=bool)
    mask[:, 0] = True
    for position, row in enumerate(batch.rows):
        length = len(tokens[row])
        ids[position, :length] = tokens[row]
        mask[position, :length] = True
    return ids, mask
