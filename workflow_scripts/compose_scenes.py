"""Compose `scenes`: pictures of one to five real cut-outs on real backgrounds, with exact boxes and labels.

    python workflow_scripts/compose_scenes.py --photos results/inputs/tuxpaint/manifest.json \\
        --labels resources/image_sets/photos.tsv --wordnet results/inputs/wordnet/manifest.json \\
        --out results/inputs/scenes

Leaves OUT/manifest.json and OUT/files: train, val and test with JPEG files, instances.json (COCO), labels.tsv (labels
that are present and those of which nothing is known), seen.txt (nouns that train shows).
"""

from pathlib import Path

from nounflow.commandline import at_least_one, run_stage, stage_parser


def main(photos: Path, labels: Path, wordnet: Path | None, scenes: int, seed: int, out: Path) -> None:
    """Compose; see the module docstring."""
    from nounflow.counts import Counts
    from nounflow.inputs import input_folder
    from nounflow.inputs.scene_files import write_scenes
    from nounflow.schemas.labels import read_labels
    from nounflow.wordnet import WordNet

    known = WordNet.load(input_folder(wordnet)) if wordnet else None
    manifest = write_scenes(out, input_folder(photos), read_labels(labels), known, scenes, seed)
    print(f"scenes: {len(manifest.files)} files, {manifest.megabytes:.1f} MB in {out / manifest.folder}")
    record = Counts("inputs")
    flow = record.flow("scenes", scenes, "scenes")
    flow.add(len(manifest.files) - scenes, "files that say what is in them")
    flow.out(len(manifest.files), "files")
    record.write(out / "manifest.counts.json")


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="manifest of the fetched cut-outs")
    parser.add_argument("--labels", type=Path, required=True, help="what they show: TSV with file, gold, sense ...")
    parser.add_argument("--wordnet", type=Path, help="manifest of the fetched WordNet: a crow is a bird, too")
    parser.add_argument("--scenes", type=at_least_one, default=2000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of all draws")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and manifest.json")
    run_stage(main, parser.parse_args())
