"""How good boxes are: average precision of detections, and recall of proposals, which bounds it.

Average precision is COCO's, by faster-coco-eval, with bootstrap samples of it over images; recall is COCO's AR@k,
whatever the name of a box.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nounflow.errors import NounflowError
from nounflow.regions.boxes import overlap
from nounflow.regions.coco import TrueBoxes, dataset

THRESHOLDS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
LIMITS = (10, 100, 300)
_MOST = 100  # detections of a name in an image
_POINTS = np.linspace(0, 1, 101)  # of recall, at which COCO reads precision


@dataclass(frozen=True)
class Ranked:
    """The detections of one name at an overlap of 0.5, best first, and how many boxes there are."""

    right: np.ndarray  # bool [n]
    image: np.ndarray  # int64 [n], places in the list of images
    positives: np.ndarray  # int64 [images]


@dataclass(frozen=True)
class Evaluated:
    """Average precision of each name that has boxes."""

    ap50: Mapping[int, float]  # name's place -> 0 to 1
    ap: Mapping[int, float]  # mean over overlaps 0.5 to 0.95
    ranked: Mapping[int, Ranked]


def evaluate(truth: TrueBoxes, files: Sequence[str], names: Sequence[int], results: list[dict[str, Any]]) -> Evaluated:
    """Evaluate COCO results on some images and names: all areas.

    Raises:
        NounflowError: faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO
    except ImportError:
        raise NounflowError(
            "Average precision needs faster-coco-eval", fix="pip install -e '.[regions]' in the project's folder"
        ) from None
    number = {truth.images[file][0]: i for i, file in enumerate(files)}
    positives = {name: np.array([len(truth.boxes_of(file, [name])) for file in files]) for name in names}
    of_name: dict[int, list[dict[str, Any]]] = {name: [] for name in names if positives[name].any()}
    ap50, ap = dict.fromkeys(of_name, 0.0), dict.fromkeys(of_name, 0.0)
    right = dict[int, bool]()  # detection -> whether its box is a single one; a crowd's neither counts nor is amiss
    if results:
        place = {truth.category_ids[name]: name for name in names}
        with contextlib.redirect_stdout(io.StringIO()):
            gold = COCO(dataset(truth, files, names))
            found = gold.loadRes([dict(one) for one in results])
            half, every = _run(gold, found, [0.5]), _run(gold, found, np.linspace(0.5, 0.95, 10))
        for column, category in enumerate(map(int, half.params.catIds)):
            if (name := place[category]) in of_name:
                ap50[name] = float(half.eval["precision"][:, :, column].mean())
                ap[name] = float(every.eval["precision"][:, :, column].mean())
        for pair in half.eval["matched"]:
            detection, box = map(int, pair.split("_", 1))
            right[detection] = not gold.anns[box]["iscrowd"]
        seen = Counter[tuple[int, int]]()
        for one in sorted(found.anns.values(), key=_rank):
            seen[at := (one["image_id"], name := place[one["category_id"]])] += 1
            if name in of_name and right.get(one["id"], True) and seen[at] <= _MOST:
                of_name[name].append(one)
    ranked = {}
    for name, mine in of_name.items():
        image = np.array([number[one["image_id"]] for one in mine], dtype=np.int64)
        ranked[name] = Ranked(np.array([one["id"] in right for one in mine], dtype=bool), image, positives[name])
    return Evaluated(ap50, ap, ranked)


def _run(gold: Any, found: Any, overlaps: Sequence[float] | np.ndarray) -> Any:
    """With precision [overlaps, recalls, names, 1, 1], and what is matched at any of the overlaps."""
    from faster_coco_eval import COCOeval_faster

    run = COCOeval_faster(gold, found, iouType="bbox", extra_calc=True)
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.params.iouThrs, run.params.maxDets = np.array(overlaps), [_MOST]
    run.evaluate()
    run.accumulate()
    return run


def resampled_ap50(ranked: Sequence[Ranked], counts: np.ndarray) -> np.ndarray:
    """Mean AP50 of some names when images count so often, int [draws, images]: float64 [draws].

    A name of which a draw has no box does not count there, as names without boxes never do.
    """
    total, there = np.zeros(len(counts)), np.zeros(len(counts))
    for one in ranked:
        positives = counts @ one.positives
        weights = counts[:, one.image]
        right, found = np.cumsum(weights * one.right, axis=1), np.cumsum(weights, axis=1)
        for draw in np.flatnonzero(positives):
            total[draw] += _area(right[draw], found[draw], positives[draw])
        there += positives > 0
    return np.asarray(total / np.maximum(there, 1))


def _area(right: np.ndarray, found: np.ndarray, positives: int) -> float:
    """Precision, made non-increasing, at the 101 recalls: COCO's average precision."""
    precision = np.maximum.accumulate((right / np.maximum(found, 1))[::-1])[::-1]
    places = np.searchsorted(right / positives, _POINTS - 1e-9, side="left")
    inside = places < len(precision)
    return float(precision[places[inside]].sum() / len(_POINTS))


def _rank(detection: dict[str, Any]) -> float:
    return -float(detection["score"])


def best_overlaps(
    proposals: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], limit: int | None = None
) -> dict[str, np.ndarray]:
    """Overlap of each true box with the proposal that it is paired with, file -> float32 [n].

    Pairs are made greedily by overlap, each proposal once, as COCO's evaluation pairs detections.

    Args:
        proposals: file -> boxes [n, 4], the likeliest objects first.
        truth: file -> boxes [n, 4].
        limit: proposals of an image that count; None: all.
    """
    found = {}
    for file, boxes in truth.items():
        taken = np.zeros(len(boxes), dtype=np.float32)
        overlaps = overlap(proposals.get(file, np.zeros((0, 4), dtype=np.float32))[:limit], boxes)
        while overlaps.size and (best := overlaps.max()) > 0:
            row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
            taken[column] = best
            overlaps[row], overlaps[:, column] = 0, 0
        found[file] = taken
    return found


def recall(
    proposals: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], limit: int | None = None
) -> tuple[float | None, float | None]:
    """Share of boxes found at an overlap of 0.5, and the mean over 0.5, 0.55 ... 0.95; None where there are none.

    Args as of `best_overlaps`.
    """
    every = np.concatenate([*best_overlaps(proposals, truth, limit).values(), np.zeros(0, dtype=np.float32)])
    if not len(every):
        return None, None
    shares = [(every >= threshold - 1e-6).mean() for threshold in THRESHOLDS]
    return float(shares[0]), float(np.mean(shares))
