"""Average precision of detections: COCO's, by faster-coco-eval, and bootstrap samples of it over images."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nounflow.errors import NounflowError
from nounflow.regions.coco import TrueBoxes, dataset

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
    """Evaluate COCO results on some images and names: all areas, 100 detections an image.

    Raises:
        NounflowError: faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError:
        raise NounflowError(
            "Average precision needs faster-coco-eval", fix="pip install -e '.[regions]' in the project's folder"
        ) from None
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO(dataset(truth, files, names))
        number = {truth.images[file][0]: i for i, file in enumerate(files)}
        found = gold.loadRes([dict(one) for one in results if one["image_id"] in number]) if results else COCO()
        if not results:
            return Evaluated(*_nothing(truth, files, names))
        run = COCOeval_faster(gold, found, iouType="bbox", extra_calc=True)
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"]  # [overlaps, recalls, names, areas, limits]
    ids = [int(one) for one in run.params.catIds]
    place = {truth.category_ids[name]: name for name in names}
    ap50, ap, ranked = dict[int, float](), dict[int, float](), dict[int, Ranked]()
    right = set()
    for pair in run.eval["matched"]:
        detection, box = map(int, pair.split("_", 1))
        if not gold.anns[box]["iscrowd"]:
            right.add(detection)
    for column, category in enumerate(ids):
        values = precision[:, :, column, 0, -1]
        if (values < 0).all():  # no box of this name
            continue
        name = place[category]
        ap50[name], ap[name] = float(values[0].mean()), float(values.mean())
        mine = sorted((one for one in found.anns.values() if one["category_id"] == category), key=_rank)
        positives = np.array([len(truth.boxes_of(file, [name])) for file in files])
        ranked[name] = Ranked(
            np.array([one["id"] in right for one in mine], dtype=bool),
            np.array([number[one["image_id"]] for one in mine], dtype=np.int64),
            positives,
        )
    return Evaluated(ap50, ap, ranked)


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


def _nothing(
    truth: TrueBoxes, files: Sequence[str], names: Sequence[int]
) -> tuple[dict[int, float], dict[int, float], dict[int, Ranked]]:
    """Of no detections at all."""
    ranked = {}
    for name in names:
        positives = np.array([len(truth.boxes_of(file, [name])) for file in files])
        if positives.any():
            ranked[name] = Ranked(np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), positives)
    return dict.fromkeys(ranked, 0.0), dict.fromkeys(ranked, 0.0), ranked
