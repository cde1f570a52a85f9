"""Which names are novel, which images are learnt from, and which are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nounflow.config.regions import RegionsTestConfig
from nounflow.errors import NounflowError
from nounflow.regions.coco import TrueBoxes
from nounflow.streams import unit_hash

_SCORED = ("test", "val", "validation")  # splits that a file of boxes may name


class Split(NamedTuple):
    """Of a test."""

    base: tuple[str, ...]
    novel: tuple[str, ...]
    learnt_from: tuple[str, ...]  # images that pseudo boxes are retrieved from
    base_images: tuple[str, ...]  # those of them whose base boxes are used: never a scored one
    scored: tuple[str, ...]
    absent: tuple[str, ...]  # listed names that the file of boxes lacks


def split(truth: TrueBoxes, splits: Mapping[str, str], test: RegionsTestConfig, seed: int) -> Split:
    """Settle a test: listed names and splits of the file as they are, the rest by the seed and each name alone.

    Raises:
        NounflowError: no name is novel, or one of the two parts has no image.
    """
    there = set(truth.names)
    absent = tuple(name for name in (*test.novel, *test.base) if name not in there)
    if test.novel:
        novel = tuple(name for name in test.novel if name in there)
    else:
        others = [name for name in truth.names if name not in test.base]
        most = max(1, round(test.novel_share * len(truth.names)))
        novel = tuple(sorted(sorted(others, key=lambda name: unit_hash(seed, "novel", name))[:most]))
    base = tuple(name for name in test.base or truth.names if name in there and name not in novel)
    if not novel:
        raise NounflowError(
            "No novel name has boxes in the file of boxes",
            where="regions.tests.*.novel",
            fix=f"name some of its categories, such as {', '.join(truth.names[:5])}",
        )
    scored = [file for file in truth.images if _is_scored(file, splits, test, seed)]
    held = set(scored)
    apart = [file for file in truth.images if file not in held]
    if not scored or not apart:
        raise NounflowError(
            f"There are {len(scored)} images to score and {len(apart)} to learn from",
            where="regions.tests.*.boxes",
            fix="mark images with `split` test and train, or leave `split` out of all of them",
        )
    learnt_from = list(truth.images) if test.transductive else apart
    return Split(base, novel, tuple(learnt_from), tuple(apart), tuple(scored), absent)


def _is_scored(file: str, splits: Mapping[str, str], test: RegionsTestConfig, seed: int) -> bool:
    if splits:
        return splits.get(file, "train") in _SCORED
    return unit_hash(seed, "retrieve", file) >= test.retrieve_share


def base_boxes(truth: TrueBoxes, names: Sequence[str], files: Sequence[str]) -> dict[str, dict]:  # type: ignore[type-arg]
    """Base name -> file -> its boxes [n, 4], in the images that have any."""
    found = {}
    for name in names:
        place = truth.names.index(name)
        of_files = {file: truth.boxes_of(file, [place]) for file in files}
        found[name] = {file: boxes for file, boxes in of_files.items() if len(boxes)}
    return found
