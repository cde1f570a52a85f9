"""Embed one shard of a caption source.

A shard is a run of the captions file's rows; all shards hold about the same number of tokens. Texts whose vectors
stand in whole shards below --known, made by the same embedder in the same way, are copied; the rest is embedded. Leaves
the shard's Zarr store and, last, its manifest.

    python workflow_scripts/embed_texts.py --captions results/captions/small/m1.parquet \\
        --nouns results/nouns/small.parquet --source m1 --shard 0 --shards 1 --known results/embeddings \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/embeddings/bundled/small/m1/0.json \\
        --counts results/embeddings/bundled/small/m1/0.counts.json
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.embedder import EmbedderConfig


def main(
    captions: Path,
    nouns: Path,
    source: str,
    shard: int,
    shards: int,
    known: list[Path],
    embedder: EmbedderConfig,
    device: str,
    threads: int,
    out: Path,
    counts: Path,
) -> None:
    """Embed one shard; see the module docstring."""
    import numpy as np

    from nounflow.counts import Counts
    from nounflow.device import prepare_device
    from nounflow.embedders import load_embedder
    from nounflow.embedders.batch_size import settle_batch_tokens
    from nounflow.embedders.golden import check_golden
    from nounflow.schemas.tables import NOUNS, lexicon_digest, read_table
    from nounflow.store.reuse import Origin, computation, copy_known
    from nounflow.store.rows import StoredRows, encode
    from nounflow.store.scatter import shard_texts
    from nounflow.store.shards import write_shard
    from nounflow.store.texts import text_keys, texts_digest

    lexicon = lexicon_digest(read_table(nouns, NOUNS, "lexicon")["noun"].to_list())
    total, start, texts = shard_texts(captions, shard, shards)
    device = prepare_device(device, threads)
    model = load_embedder(embedder, device=device, threads=threads, images=False)
    settle_batch_tokens(model, embedder.batch_tokens, out)
    check_golden(model)
    keys = text_keys(texts)
    origin = Origin(model.identity, embedder.dtype, model.batch_tokens, computation(device, threads))
    rows = StoredRows.empty(len(texts), model.dim, embedder.dtype)
    copied = copy_known(keys, origin, known, rows)
    new = np.flatnonzero(~copied)
    if len(new):
        new_texts = [texts[row] for row in new]
        rows.put(new, encode(model.encode_texts(new_texts), embedder.dtype, out, new_texts))
    write_shard(
        out,
        rows,
        keys=keys,
        embedder=origin.embedder,
        lexicon=lexicon,
        source=source,
        start=start,
        texts=texts_digest(texts),
        batch_tokens=origin.batch_tokens,
        computed=origin.computed,
    )
    record = Counts("embeddings")
    flow = record.flow(f"{source} shard {shard}", total, "texts")
    flow.drop(total - len(texts), "rows of other shards")
    flow.out(len(rows), "embeddings")
    flow = record.flow(f"{source} shard {shard}: computed", len(texts), "texts")
    flow.drop(int(copied.sum()), "known, vectors copied from other shards")
    flow.out(len(new), "new embeddings")
    record.write(counts)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--captions", type=Path, required=True, help="captions file to embed")
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon that the captions were made for")
    parser.add_argument("--source", required=True, help="name of the caption source")
    parser.add_argument("--shard", type=int, required=True, help="which shard, from 0")
    parser.add_argument("--shards", type=int, required=True, help="how many shards the source has")
    parser.add_argument("--known", type=Path, nargs="*", default=[], help="folders with shards to copy vectors from")
    parser.add_argument("--embedder", type=json_settings(EmbedderConfig), required=True, help="settings, as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the shard's manifest")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
