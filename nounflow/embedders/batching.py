"""Length-bucketed batches of fixed shape, so that a text's vector does not depend on its neighbours."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_EXACT = 32  # up to this many tokens each length is a bucket of its own, without any padding
_STEP = 8


@dataclass(frozen=True)
class TextBatch:
    """Rows to encode together; fewer than `size` in a bucket's last batch, which dummies fill up."""

    rows: np.ndarray  # int64 [<= size], indices of texts
    width: int  # tokens in each row
    size: int  # rows in the batch


def bucket_widths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """The padded width of each length, in tokens, int64 [texts] -> [texts].

    At least one token, and at most the `longest` row that a tower takes.
    """
    padded = np.minimum(-(-lengths // _STEP) * _STEP, longest)
    found: np.ndarray = np.where(lengths <= _EXACT, np.maximum(lengths, 1), padded)
    return found


def plan_batches(lengths: Sequence[int] | np.ndarray, batch_tokens: int, longest: int) -> list[TextBatch]:
    """Batches of texts of `lengths` [texts], in tokens: every text in exactly one.

    The shape of a batch depends on its width and `batch_tokens` only. A batch has at least two rows: a single row
    takes another path through the matrix library, with other rounding.
    """
    widths = bucket_widths(np.asarray(lengths, dtype=np.int64), longest)
    batches = []
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        size = max(2, batch_tokens // width)
        batches += [TextBatch(rows[start : start + size], width, size) for start in range(0, len(rows), size)]
    return batches


def fill_batch(batch: TextBatch, tokens: Sequence[Sequence[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids [size, width] of a batch's texts and their mask, True where a token counts.

    A dummy is a copy of the first text: a row of nothing but padding has no vector in some towers.
    """
    ids = np.full((batch.size, batch.width), pad, dtype=np.int64)
    mask = np.zeros((batch.size, batch.width), dtype=bool)
    for position, row in enumerate(tokens):
        ids[position, : len(row)] = row
        mask[position, : len(row)] = True
    ids[len(tokens) :], mask[len(tokens) :] = ids[0], mask[0]
    return ids, mask


def stream_batches(
    chunks: Iterable[list[list[int]]], batch_tokens: int, longest: int
) -> Iterator[tuple[TextBatch, np.ndarray, list[list[int]]]]:
    """Batches of token rows that arrive in chunks.

    A batch is given out when it is full; what a chunk leaves over waits for the next, so that only the very last
    batches have dummies.

    Yields:
        (batch, the numbers of its texts, int64 [<= size], and the token ids of each of them).
    """
    numbers = np.zeros(0, dtype=np.int64)
    tokens: list[list[int]] = []
    start = 0
    for chunk in chunks:
        numbers = np.concatenate([numbers, np.arange(start, start + len(chunk))])
        tokens = tokens + chunk
        start += len(chunk)
        partial = []
        for batch in plan_batches([len(ids) for ids in tokens], batch_tokens, longest):
            if len(batch.rows) == batch.size:
                yield batch, numbers[batch.rows], [tokens[row] for row in batch.rows]
            else:
                partial.append(batch)
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *(batch.rows for batch in partial)])
        numbers, tokens = numbers[rows], [tokens[row] for row in rows]
    for batch in plan_batches([len(ids) for ids in tokens], batch_tokens, longest):
        yield batch, numbers[batch.rows], [tokens[row] for row in batch.rows]
