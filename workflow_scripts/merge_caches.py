"""Merge embedding shards into a training set: an index and checks, no copy of any vector.

    python workflow_scripts/merge_caches.py --nouns results/nouns/small.parquet \\
        --mixture '{"multiset": [1, 1, 1], "offline": 1}' --captions-folder results/captions/small \\
        --shards results/embeddings/bundled/small/*/*.json \\
        --out results/training_sets/bundled/small/m3/manifest.json \\
        --counts results/training_sets/bundled/small/m3/manifest.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, run_stage
from nounflow.config.mixture import MixtureConfig


def main(
    nouns: Annotated[Path, "the lexicon"],
    mixture: Annotated[MixtureConfig, "settings, as JSON"],
    captions_folder: Annotated[Path, "folder of SOURCE.parquet files"],
    shards: Annotated[list[Path], "manifests SOURCE/SHARD.json"],
    out: Annotated[Path, "the training set's manifest"],
    counts: Counts,
) -> None:
    """Merge shards; see the module docstring."""
    from nounflow.schemas.documents import read_document
    from nounflow.schemas.embeddings import ShardManifest
    from nounflow.store.merging import merge

    start = {path: read_document(ShardManifest, path, "shard manifest").start for path in shards}
    merge(
        folder=out.parent,
        nouns_path=nouns,
        captions={source: captions_folder / f"{source}.parquet" for source in mixture.weights},
        shard_manifests={
            source: sorted((path for path in shards if path.parent.name == source), key=start.__getitem__)
            for source in mixture.weights
        },
        mixture=mixture.weights,
        heldout_share=mixture.heldout,
    ).write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
