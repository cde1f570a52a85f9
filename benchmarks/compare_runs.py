"""Paired differences between groups of runs, each group the same recipe with several seeds.

    snakemake --cores 8 --configfile config/recipes/three_seeds.yaml
    python benchmarks/compare_runs.py --group decoder small small_seed2 small_seed3 \\
        --group head small_head small_head_seed2 small_head_seed3 --group retrieval small_retrieval

An image's points are averaged over a group's seeds; images are then resampled in pairs. Each run has a line too.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from nounflow.schemas.documents import Annotations, Predictions, read_document
from nounflow.scoring.answers import answers
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.points import POINTS, Judgements, judgements
from nounflow.streams import stream


def points(path: Path, judged: Judgements) -> tuple[list[str], np.ndarray]:
    """Images, and the points of their first nouns."""
    nouns = answers(read_document(Predictions, path, "predictions")).nouns
    categories = [judged.get(image, {}).get(given[0]) if given else None for image, given in nouns.items()]
    return list(nouns), np.array([0.0 if category is None else POINTS[category] for category in categories])


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
    images: list[str] = []
    for name, *runs in arguments.group:
        found = []
        for run in runs:
            files, values = points(arguments.results / "predictions" / run / f"{arguments.image_set}.json", judged)
            assert not images or files == images, f"{run} was made on other images"
            images = files
            found.append(values)
            print(line(f"run {run}", values))
        groups[name] = np.mean(found, axis=0)
    for name, values in groups.items():
        print(line(f"{name}, mean over seeds", values))
    for one, other in itertools.combinations(groups, 2):
        print(line(f"{one} - {other}, paired", groups[one] - groups[other], "+"))


if __name__ == "__main__":
    main()
