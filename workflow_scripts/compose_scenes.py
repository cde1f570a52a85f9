"""Compose `scenes`: pictures of one to five real cut-outs on real backgrounds, with exact boxes and labels.

    python workflow_scripts/compose_scenes.py --photos results/inputs/tuxpaint/manifest.json \\
        --labels resources/image_sets/photos.tsv --wordnet results/inputs/wordnet/manifest.json \\
        --out results/inputs/scenes

Leaves OUT/manifest.json and OUT/files: train, val and test with JPEG files, instances.json (COCO), labels.tsv (labels
that are present and those of which nothing is known), seen.txt (nouns that train shows).
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Count, run_stage


def main(
    photos: Annotated[Path, "manifest of the fetched cut-outs"],
    labels: Annotated[Path, "what they show: TSV with file, gold, sense ..."],
    out: Annotated[Path, "folder for the files and manifest.json"],
    wordnet: Annotated[Path | None, "manifest of the fetched WordNet: a crow is a bird, too"] = None,
    scenes: Annotated[Count, "how many"] = 2000,
    seed: Annotated[int, "of all draws"] = 1,
) -> None:
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
    run_stage(main, __doc__)
