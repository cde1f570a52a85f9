"""The work of one embedding job, with an embedder that is loaded already: a shard of a caption source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nounflow.config.embedder import family_of
from nounflow.counts import Counts
from nounflow.embedders.protocol import Embedder
from nounflow.schemas.tables import lexicon_digest, read_lexicon
from nounflow.store.partition import shard_texts
from nounflow.store.reuse import VectorOrigin, computation, copy_known
from nounflow.store.rows import StoredRows, StoredType, encode
from nounflow.store.shard_writing import write_shard
from nounflow.store.texts import text_keys, texts_digest


@dataclass(frozen=True)
class TextShard:
    """Which texts, and where their vectors go."""

    captions: Path
    nouns: Path  # lexicon that the captions were made for
    source: str
    shard: int  # from 0
    shards: int
    out: Path  # the manifest; the arrays go beside it
    counts: Path


def embed_shard(job: TextShard, model: Embedder, dtype: StoredType, known: Sequence[Path] = ()) -> None:
    """Embed a shard and write it; texts in whole shards of the same origin below `known` are copied."""
    lexicon = lexicon_digest(read_lexicon(job.nouns)["noun"].to_list())
    total, start, texts = shard_texts(job.captions, job.shard, job.shards)
    keys = text_keys(texts)
    origin = VectorOrigin(
        model.identity, dtype, model.batch_tokens, computation(family_of(model.identity.spec), model.device)
    )
    rows = StoredRows.empty(len(texts), model.dim, dtype)
    copied = copy_known(keys, origin, known, rows)
    new = np.flatnonzero(~copied)
    if len(new):
        new_texts = [texts[row] for row in new]
        rows.put(new, encode(model.encode_texts(new_texts), dtype, job.out, new_texts))
    write_shard(
        job.out,
        rows,
        keys=keys,
        embedder=origin.embedder,
        lexicon=lexicon,
        source=job.source,
        start=start,
        texts=texts_digest(texts),
        batch_tokens=origin.batch_tokens,
        computed=origin.computed,
    )
    name, record = f"{job.source} shard {job.shard}", Counts("embeddings")
    flow = record.flow(name, total, "texts")
    flow.drop(total - len(texts), "rows of other shards")
    flow.out(len(rows), "embeddings")
    flow = record.flow(f"{name}: computed", len(texts), "texts")
    flow.drop(int(copied.sum()), "known, vectors copied from other shards")
    flow.out(len(new), "new embeddings")
    record.write(job.counts)
