"""The work of one embedding job, with an embedder that is loaded already: a shard of a caption source.

A shard takes a run of the rows of a captions file; all shards hold about the same number of tokens.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from nounflow.config.embedder import family_of
from nounflow.counts import Counts
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.files import sha256_text
from nounflow.schemas.tables import CAPTIONS, lexicon_digest, read_columns, read_lexicon
from nounflow.store.reuse import VectorOrigin, computation, copy_known
from nounflow.store.rows import StoredRows, StoredType, encode
from nounflow.store.shard_writing import write_shard
from nounflow.store.texts import text_keys

_END_MARKS = 8  # bytes that two tokens stand for


def embed_shard(
    model: Embedder,
    dtype: StoredType,
    *,
    captions: Path,
    nouns: Path,
    source: str,
    shard: int,
    shards: int,
    known: Sequence[Path] = (),
    out: Path,
    counts: Path,
) -> None:
    """Embed a shard of a captions file and write it; texts in whole shards of the same origin below `known` are copied.

    Args:
        nouns: lexicon that the captions were made for.
        source: name of the captions' source.
        shard, shards: which one, from 0, and how many there are.
        out: the manifest; the arrays go beside it.
    """
    lexicon = lexicon_digest(read_lexicon(nouns)["noun"].to_list())
    total, start, texts = shard_texts(captions, shard, shards)
    keys = text_keys(texts)
    origin = VectorOrigin(
        model.identity, dtype, model.batch_tokens, computation(family_of(model.identity.spec), model.device)
    )
    rows = StoredRows.empty(len(texts), model.dim, dtype)
    copied = copy_known(keys, origin, known, rows)
    new = np.flatnonzero(~copied)
    if len(new):
        new_texts = [texts[row] for row in new]
        rows.put(new, encode(model.encode_texts(new_texts), dtype, out, new_texts))
    write_shard(
        out,
        rows,
        keys=keys,
        embedder=origin.embedder,
        lexicon=lexicon,
        source=source,
        start=start,
        texts=sha256_text(*texts),
        batch_tokens=origin.batch_tokens,
        computed=origin.computed,
    )
    name, record = f"{source} shard {shard}", Counts("embeddings")
    flow = record.flow(name, total, "texts")
    flow.drop(total - len(texts), "rows of other shards")
    flow.out(len(rows), "embeddings")
    flow = record.flow(f"{name}: computed", len(texts), "texts")
    flow.drop(int(copied.sum()), "known, vectors copied from other shards")
    flow.out(len(new), "new embeddings")
    record.write(counts)


def shard_bounds(lengths: np.ndarray, shards: int) -> np.ndarray:
    """First row of each shard and, last, the number of rows: int64 [shards + 1], from the texts' bytes [rows].

    Tokens are taken to be proportional to UTF-8 bytes + 8 (the end marks count too): a tokenizer would be exact, slow,
    and another one for each embedder. The bounds follow from the captions file alone.
    """
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
