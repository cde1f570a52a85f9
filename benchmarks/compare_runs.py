"""Paired differences between groups of runs, each group the same recipe with several seeds.

    snakemake --cores 8 --configfile config/recipes/three_seeds.yaml
    python benchmarks/compare_runs.py --group decoder small small_seed2 small_seed3 \\
        --group head small_head small_head_seed2 small_head_seed3 --group retrieval small_retrieval

An image's points are averaged over a group's seeds; images are then resampled in pairs. Each run has a line too.
A second table shows risk against coverage: the points of the images whose first nouns a run holds most probable, and
the mean over all coverages.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from nounflow.schemas.annotations import Annotations
from nounflow.schemas.documents import read_document
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import POINTS, Judgements, judgements, only_decoding
from nounflow.scoring.intervals import mean_interval
from nounflow.streams import stream

_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


def points(path: Path, judged: Judgements) -> tuple[list[str], np.ndarray]:
    """Images, and the points of their first nouns."""
    document = read_document(Predictions, path, "predictions")
    nouns = dict(zip(document.samples, only_decoding(document).pred, strict=True))
    nouns |= dict.fromkeys(document.unreadable, ())
    categories = [judged.get(image, {}).get(given[0]) if given else None for image, given in nouns.items()]
    return list(nouns), np.array([0.0 if category is None else POINTS[category] for category in categories])


def surest_first(path: Path, values: np.ndarray) -> np.ndarray:
    """Points of the images in the order of their first nouns' probability; unreadable ones come last."""
    document = read_document(Predictions, path, "predictions")
    probabilities = [row[0] for row in only_decoding(document).probability]
    return values[np.argsort([-p for p in (*probabilities, *([0.0] * len(document.unreadable)))], kind="stable")]


def coverage_line(name: str, ordered: list[np.ndarray]) -> str:
    """A row of the second table, in percent; `ordered` has the points of each seed, surest images first."""
    means = np.mean([np.cumsum(values) / np.arange(1, len(values) + 1) for values in ordered], axis=0)
    cells = [means[round(share * len(means)) - 1] for share in _SHARES]
    return f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in (*cells, means.mean())) + " |"


def line(name: str, values: np.ndarray, sign: str = "") -> str:
    """A row of the Markdown table, in percent; `sign` "+" for differences."""
    low, high = mean_interval(values, stream(1, "compare", name))
    return f"| {name} | " + " | ".join(f"{100 * value:{sign}.1f}" for value in (values.mean(), low, high)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", action="append", nargs="+", required=True, help="a name, and the runs it stands for")
    parser.add_argument("--image-set", default="photos")
    parser.add_argument("--annotator", default="wordnet")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()

    path = arguments.results / "annotations" / arguments.image_set / f"{arguments.annotator}.json"
    judged = judgements(read_document(Annotations, path, "annotations"))
    print("| points of the first noun, in percent | mean | low | high |\n|---|---|---|---|")
    groups: dict[str, np.ndarray] = {}
    coverage = []
    images: list[str] = []
    for name, *runs in arguments.group:
        found, ordered = [], []
        for run in runs:
            path = arguments.results / "predictions" / run / f"{arguments.image_set}.json"
            files, values = points(path, judged)
            ordered.append(surest_first(path, values))
            assert not images or files == images, f"{run} was made on other images"
            images = files
            found.append(values)
            print(line(f"run {run}", values))
        groups[name] = np.mean(found, axis=0)
        coverage.append(coverage_line(name, ordered))
    for name, values in groups.items():
        print(line(f"{name}, mean over seeds", values))
    for one, other in itertools.combinations(groups, 2):
        print(line(f"{one} - {other}, paired", groups[one] - groups[other], "+"))
    shares = " | ".join(f"{share:.0%}" for share in _SHARES)
    print(f"\n| points of the surest, in percent | {shares} | mean |\n|---|{'---|' * (len(_SHARES) + 1)}")
    print("\n".join(coverage))


if __name__ == "__main__":
    main()
