"""Embed one shard of a caption source.

Takes rows [rows * shard / shards, rows * (shard + 1) / shards) of the captions file, embeds each text once and
writes the shard's Zarr array and, last, its manifest.

    python workflow_scripts/embed_texts.py --captions results/captions/small/m1.parquet \\
        --nouns results/nouns/small.parquet --source m1 --shard 0 --shards 1 \\
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
    embedder: EmbedderConfig,
    device: str,
    threads: int,
    out: Path,
    counts: Path,
) -> None:
    """Embed one shard; see the module docstring."""
    from nounflow.counts import Counts
    from nounflow.embedders import load_embedder
    from nounflow.embedders.batch_size import settle_batch_tokens
    from nounflow.embedders.golden import check_golden
    from nounflow.schemas.tables import CAPTIONS, NOUNS, lexicon_digest, read_table
    from nounflow.store.shards import texts_digest, write_shard

    table = read_table(captions, CAPTIONS, "captions file")
    start, stop = len(table) * shard // shards, len(table) * (shard + 1) // shards
    texts = table["text"].slice(start, stop - start).to_list()
    model = load_embedder(embedder, device=device, threads=threads, images=False)
    settle_batch_tokens(model, embedder.batch_tokens, out)
    check_golden(model)
    vectors = model.encode_texts(texts)
    write_shard(
        out,
        vectors,
        embedder=model.identity,
        lexicon=lexicon_digest(read_table(nouns, NOUNS, "lexicon")["noun"].to_list()),
        source=source,
        start=start,
        texts=texts_digest(texts),
        batch_tokens=model.batch_tokens,
    )
    record = Counts("embeddings")
    flow = record.flow(f"{source} shard {shard}", len(table), "texts")
    flow.drop(len(table) - len(texts), "rows of other shards")
    flow.out(len(vectors), "embeddings")
    record.write(counts)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--captions", type=Path, required=True, help="captions file to embed")
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon that the captions were made for")
    parser.add_argument("--source", required=True, help="name of the caption source")
    parser.add_argument("--shard", type=int, required=True, help="which shard, from 0")
    parser.add_argument("--shards", type=int, required=True, help="how many shards the source has")
    parser.add_argument("--embedder", type=json_settings(EmbedderConfig), required=True, help="settings, as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the shard's manifest")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
