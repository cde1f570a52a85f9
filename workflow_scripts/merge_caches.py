"""Merge embedding shards into a training set: an index and checks, no copy of any vector.

    python workflow_scripts/merge_caches.py --nouns results/nouns/small.parquet \\
        --mixture '{"multiset": [1, 1, 1], "offline": 1}' --captions-folder results/captions/small \\
        --shards results/embeddings/bundled/small/*/*.json \\
        --out results/training_sets/bundled/small/m3/manifest.json \\
        --counts results/training_sets/bundled/small/m3/manifest.counts.json
"""

from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.mixture import MixtureConfig


def main(
    nouns: Path, mixture: MixtureConfig, captions_folder: Path, shards: list[Path], out: Path, counts: Path
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
    parser = stage_parser(__doc__)
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--mixture", type=json_settings(MixtureConfig), required=True, help="settings, as JSON")
    parser.add_argument("--captions-folder", type=Path, required=True, help="folder of SOURCE.parquet files")
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="manifests SOURCE/SHARD.json")
    parser.add_argument("--out", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
