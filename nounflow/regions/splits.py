"""Which names are novel, which images are learnt from, and which are scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nounflow.config.regions import RegionsTestConfig
from nounflow.errors import NounflowError
from nounflow.regions.coco import TrueBoxes
from nounflow.streams import unit_hash

_LEARNT_FROM, _SCORED = "train", "test"  # splits that a file of boxes may name; others are left out


class Split(NamedTuple):
    """Of a test."""

    base: tuple[str, ...]
    novel: tuple[str, ...]
    learnt_from: tuple[str, ...]  # images that pseudo boxes are retrieved from
    base_images: tuple[str, ...]  # those of them whose base boxes are used: never a scored one
    scored: tuple[str, ...]
    absent: tuple[str, ...]  # listed names that the file of boxes lacks


def split(truth: TrueBoxes, test: RegionsTestConfig, seed: int) -> Split:
    """Settle a test: listed names and splits of the file as they are, the rest by the seed and each name alone.

    Raises:
        NounflowError: no name is novel, or one of the two parts has no image.
    """
    of = {file: truth.splits.get(file, "") if truth.splits else _drawn(file, test, seed) for file in truth.images}
    scored = [file for file in truth.images if of[file] == _SCORED]
    apart = [file for file in truth.images if of[file] == _LEARNT_FROM]
    scored, apart = scored[: test.most], apart[: test.most]
    if not scored or not apart:
        raise NounflowError(
            f"There are {len(scored)} images to score and {len(apart)} to learn from",
            where="regions.tests.*.boxes",
            fix="mark images with `split` test and train, or leave `split` out of all of them",
        )
    there = set(truth.names)
    absent = tuple(name for name in (*test.novel, *test.base) if name not in there)
    if test.novel:
        novel = tuple(name for name in test.novel if name in there)
    else:
        known = _in_both(truth, apart, scored)
        others = [name for name in known if name not in test.base]
        most = max(1, round(test.novel_share * len(known)))
        novel = tuple(sorted(sorted(others, key=lambda name: unit_hash(seed, "novel", name))[:most]))
    base = tuple(name for name in test.base or _in_both(truth, apart, scored) if name in there and name not in novel)
    if not novel:
        raise NounflowError(
            "No novel name has boxes in the file of boxes",
            where="regions.tests.*.novel",
            fix=f"name some of its categories, such as {', '.join(truth.names[:5])}",
        )
    learnt_from = [*apart, *scored] if test.transductive else apart
    return Split(base, novel, tuple(learnt_from), tuple(apart), tuple(scored), absent)


def _in_both(truth: TrueBoxes, apart: Sequence[str], scored: Sequence[str]) -> list[str]:
    """Names with boxes in both parts: another can be learnt or scored only where the config names it."""
    parts = [{int(label) for file in files for label in truth.labels[file]} for files in (apart, scored)]
    return [name for i, name in enumerate(truth.names) if i in parts[0] & parts[1]]


def _drawn(file: str, test: RegionsTestConfig, seed: int) -> str:
    return _LEARNT_FROM if unit_hash(seed, "learnt", file) < test.learnt_share else _SCORED


def base_boxes(truth: TrueBoxes, names: Sequence[str], files: Sequence[str]) -> dict[str, dict]:  # type: ignore[type-arg]
    """Base name -> file -> its boxes [n, 4], in the images that have any."""
    found = {}
    for name in names:
        place = truth.names.index(name)
        of_files = {file: truth.boxes_of(file, [place]) for file in files}
        found[name] = {file: boxes for file, boxes in of_files.items() if len(boxes)}
    return found
