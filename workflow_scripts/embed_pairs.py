r"""Embed pairs of image and caption, each once. A job that was killed goes on behind its last whole shard.

In:  a folder of images with .txt files of the same names, WebDataset shards, or a table of path, tab, caption
Out: the manifest of the pairs; an index of names and captions, and shards of vectors, beside it

    python workflow_scripts/embed_pairs.py --pairs ~/cc3m --embedder '{"spec": "bundled:minilm-conse"}' \
        --out results/open_set/bundled/pairs/cc3m/manifest.json \
        --counts results/open_set/bundled/pairs/cc3m/manifest.counts.json
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import add_settings, at_least_one, run_stage, stage_parser
from nounflow.config.embedder import EmbedderConfig


def main(pairs: Path, embedder: EmbedderConfig, device: str, threads: int, out: Path, counts: Path) -> None:
    """Embed pairs; see the module docstring."""
    from nounflow.embedders.batch_size import settle_batch_tokens
    from nounflow.embedders.load import load_embedder
    from nounflow.open_set.pair_store import embed_pairs
    from nounflow.process import prepare_process

    model = load_embedder(embedder, prepare_process(device, threads))
    settle_batch_tokens(model, embedder.batch_tokens, out.parent / "texts/0.json")
    embed_pairs(pairs, model, embedder, threads, out).write(counts)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="where they are")
    add_settings(parser, "--embedder", EmbedderConfig)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the pairs' manifest")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
