r"""Embed pairs of image and caption, each once. A job that was killed goes on behind its last whole shard.

In:  a folder of images with .txt files of the same names, WebDataset shards, or a table of path, tab, caption
Out: the manifest of the pairs; an index of names and captions, and shards of vectors, beside it

    python workflow_scripts/embed_pairs.py --pairs ~/cc3m --embedder '{"spec": "bundled:minilm-conse"}' \
        --out results/open_set/bundled/pairs/cc3m/manifest.json \
        --counts results/open_set/bundled/pairs/cc3m/manifest.counts.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig


def main(
    pairs: Annotated[Path, "where they are"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the pairs' manifest"],
    counts: Counts,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Embed pairs; see the module docstring."""
    from nounflow.embedders.batch_size import settle_batch_tokens
    from nounflow.embedders.load import load_embedder
    from nounflow.open_set.pair_store import embed_pairs
    from nounflow.process import prepare_process

    model = load_embedder(embedder, prepare_process(device, threads))
    settle_batch_tokens(model, embedder.batch_tokens, out.parent / "texts/0.json")
    embed_pairs(pairs, model, embedder, threads, out).write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
