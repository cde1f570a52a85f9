"""Embed one shard of a caption source.

A shard is a run of the captions file's rows; all shards hold about the same number of tokens. Texts whose vectors
stand in whole shards below --known, made by the same embedder in the same way, are copied; the rest is embedded. Leaves
the shard's Zarr store and, last, its manifest.

    python workflow_scripts/embed_texts.py --captions results/captions/small/m1.parquet \\
        --nouns results/nouns/small.parquet --source m1 --shard 0 --shards 1 --known results/embeddings \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/embeddings/bundled/small/m1/0.json \\
        --counts results/embeddings/bundled/small/m1/0.counts.json
"""

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
    from nounflow.embedders.batch_size import settle_batch_tokens
    from nounflow.embedders.golden import check_golden
    from nounflow.embedders.load import load_embedder
    from nounflow.embedders.text_shards import TextShard, embed_shard
    from nounflow.process import prepare_process

    device = prepare_process(device, threads)
    model = load_embedder(embedder, device, images=False)
    settle_batch_tokens(model, embedder.batch_tokens, out)
    check_golden(model)
    job = TextShard(captions, nouns, source, shard, shards, out, counts)
    embed_shard(job, model, embedder.dtype, known)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--captions", type=Path, required=True, help="captions file to embed")
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon that the captions were made for")
    parser.add_argument("--source", required=True, help="name of the caption source")
    parser.add_argument("--shard", type=int, required=True, help="which shard, from 0")
    parser.add_argument("--shards", type=int, required=True, help="how many shards the source has")
    parser.add_argument("--known", type=Path, nargs="*", default=[], help="folders with shards to copy vectors from")
    parser.add_argument("--embedder", type=json_settings(EmbedderConfig), required=True, help="settings, as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the shard's manifest")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
