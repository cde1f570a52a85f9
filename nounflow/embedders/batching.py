"""Length-bucketed batches of fixed shape, so that a text's vector does not depend on its neighbours."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

_EXACT = 32  # up to this many tokens each length is a bucket of its own, without any padding
_STEP = 8


class TextBatch(NamedTuple):
    """Texts to encode together; fewer than `size` in a bucket's last batch, which dummies fill up."""

    numbers: list[int]  # of the texts
    tokens: list[list[int]]
    width: int  # tokens in each row
    size: int  # rows in the batch


def stream_batches(chunks: Iterable[list[list[int]]], batch_tokens: int, longest: int) -> Iterator[TextBatch]:
    """Batches of token rows that arrive in chunks: every text in exactly one.

    The shape of a batch depends on its width and `batch_tokens` only. A batch has at least two rows: a single row
    takes another path through the matrix library, with other rounding. A batch is given out when it is full, so that
    only the very last ones, one of each width, have dummies.

    Args:
        longest: tokens that the tower takes at most.
    """
    waiting: dict[int, TextBatch] = {}
    for number, ids in enumerate(itertools.chain.from_iterable(chunks)):
        width = max(len(ids), 1) if len(ids) <= _EXACT else min(-(-len(ids) // _STEP) * _STEP, longest)
        batch = waiting.setdefault(width, TextBatch([], [], width, max(2, batch_tokens // width)))
        batch.numbers.append(number)
        batch.tokens.append(ids)
        if len(batch.tokens) == batch.size:
            yield waiting.pop(width)
    yield from waiting.values()


def fill_batch(tokens: Sequence[Sequence[int]], width: int, size: int, pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids [size, width] of a batch's texts and their mask, True where a token counts.

    A dummy is a copy of the first text: a row of nothing but padding has no vector in some towers.
    """
    ids = np.full((size, width), pad, dtype=np.int64)
    mask = np.zeros((size, width), dtype=bool)
    for position, row in enumerate(tokens):
        ids[position, : len(row)] = row
        mask[position, : len(row)] = True
    ids[len(tokens) :], mask[len(tokens) :] = ids[0], mask[0]
    return ids, mask
