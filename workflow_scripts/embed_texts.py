"""Embed one shard of a caption source.

A shard is a run of the captions file's rows; all shards hold about the same number of tokens. Texts whose vectors
stand in whole shards below --known, made by the same embedder in the same way, are copied; the rest is embedded. Leaves
the shard's Zarr store and, last, its manifest.

    python workflow_scripts/embed_texts.py --captions results/captions/small/m1.parquet \\
        --nouns results/nouns/small.parquet --source m1 --shard 0 --shards 1 --known results/embeddings \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/embeddings/bundled/small/m1/0.json \\
        --counts results/embeddings/bundled/small/m1/0.counts.json
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig


def main(
    captions: Annotated[Path, "captions file to embed"],
    nouns: Annotated[Path, "lexicon that the captions were made for"],
    source: Annotated[str, "name of the caption source"],
    shard: Annotated[int, "which shard, from 0"],
    shards: Annotated[int, "how many shards the source has"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the shard's manifest"],
    counts: Counts,
    known: Annotated[Sequence[Path], "folders with shards to copy vectors from"] = (),
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Embed one shard; see the module docstring."""
    from nounflow.embedders.batch_size import settle_batch_tokens
    from nounflow.embedders.golden import check_golden
    from nounflow.embedders.load import load_embedder
    from nounflow.embedders.text_shards import embed_shard
    from nounflow.process import prepare_process

    device = prepare_process(device, threads)
    model = load_embedder(embedder, device, images=False)
    settle_batch_tokens(model, embedder.batch_tokens, out)
    check_golden(model)
    embed_shard(
        model, embedder.dtype, captions=captions, nouns=nouns, source=source, shard=shard, shards=shards, known=known,
        out=out, counts=counts,
    )  # fmt: skip


if __name__ == "__main__":
    run_stage(main, __doc__)
