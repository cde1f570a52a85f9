"""The `wordnet` judge against names that people gave by looking: each accepted name of a labelled photograph, left out.

    python benchmarks/wordnet_judge.py --wordnet results/inputs/wordnet

The judge sees the gold noun alone and is asked about each name that the labels accept beside it. Whoever made them
took these names for right, so `incorrect` is a disagreement; `close` may be one. Not used to set any threshold.
"""

import argparse
from collections import Counter
from pathlib import Path

from nounflow.annotation.wordnet import WordNetAnnotator
from nounflow.inputs import input_folder
from nounflow.schemas.labels import read_labels
from nounflow.wordnet import WordNet


def main() -> None:
    """Print how many of the names are correct, close and incorrect, and the incorrect ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder of a fetched WordNet")
    parser.add_argument("--labels", type=Path, default=Path("resources/image_sets/photos.tsv"), help="label file")
    arguments = parser.parse_args()
    judge = WordNetAnnotator(WordNet.load(input_folder(arguments.wordnet / "manifest.json")))
    counts: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for labels in read_labels(arguments.labels).values():
        alone = labels.model_copy(update={"accepted": ()})
        for noun in labels.accepted:
            category = judge.judge(alone, noun).category
            counts[category] += 1
            if category == "incorrect":
                wrong[labels.gold, noun] += 1
    for category, n in counts.most_common():
        print(f"{category}: {n} of {counts.total()} ({n / counts.total():.1%})")
    print("incorrect: " + ", ".join(f"{noun} for {gold}" for gold, noun in sorted(wrong)))


if __name__ == "__main__":
    main()
