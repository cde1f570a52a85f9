"""Which rows of a captions file a shard takes: runs of rows that hold about the same number of tokens.

Tokens are taken to be proportional to UTF-8 bytes + 8 (the end marks count too): a tokenizer would be exact, slow, and
another one for each embedder. The bounds follow from the captions file alone.
"""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from nounflow.errors import NounflowError
from nounflow.schemas.tables import CAPTIONS, read_columns

_END_MARKS = 8  # bytes that two tokens stand for


def shard_bounds(lengths: np.ndarray, shards: int) -> np.ndarray:
    """First row of each shard and, last, the number of rows: int64 [shards + 1], from the texts' bytes [rows]."""
    cost = np.cumsum(lengths + _END_MARKS, dtype=np.int64)
    total = int(cost[-1]) if len(cost) else 0
    inner = np.searchsorted(cost, [total * shard // shards for shard in range(1, shards)], side="left")
    return np.concatenate([[0], inner, [len(lengths)]]).astype(np.int64)


def shard_texts(captions: Path, shard: int, shards: int) -> tuple[int, int, list[str]]:
    """(rows of the captions file, first row of the shard, the shard's texts).

    Raises:
        NounflowError: there is no such shard.
    """
    if not 0 <= shard < shards:
        raise NounflowError(f"There is no shard {shard} of {shards}", where=captions, fix="count shards from 0")
    batches = (batch["text"] for batch in read_columns(captions, CAPTIONS, "captions file", ["text"]))
    lengths = [pc.binary_length(texts).to_numpy(zero_copy_only=False) for texts in batches]
    bounds = shard_bounds(np.concatenate([np.zeros(0, dtype=np.int32), *lengths]), shards)
    first, last = int(bounds[shard]), int(bounds[shard + 1])
    chosen: list[str] = []
    row = 0
    for batch in read_columns(captions, CAPTIONS, "captions file", ["text"]):
        start, stop = max(first - row, 0), min(last - row, len(batch))
        if start < stop:
            chosen += batch["text"].slice(start, stop - start).to_pylist()
        row += len(batch)
    return row, first, chosen
