"""AUROC, FPR95, AUPR and OSCR, each over many weightings of the same images at once: what a bootstrap needs.

Known images are the positive class. A weighting is how often each image was drawn; ones give the measure itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MEASURES = ("auroc", "fpr95", "aupr", "oscr")
_CELLS = 1 << 22  # weights held at a time


@dataclass(frozen=True)
class Sorted:
    """Images by falling score, those of one score as one step."""

    order: np.ndarray
    ends: np.ndarray  # where each step begins, for reduceat
    known: np.ndarray  # bool, in the caller's order
    right: np.ndarray  # bool: known, and called by its name

    @classmethod
    def of(cls, scores: np.ndarray, known: np.ndarray, right: np.ndarray) -> Sorted:
        """`scores` float64 [n]; `known` and `right` bool [n]."""
        order = np.argsort(-scores, kind="stable")
        new = np.flatnonzero(np.diff(scores[order], prepend=np.inf) != 0)
        return cls(order, new, known, right & known)

    def reached(self, weights: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Weight of the images `of` down to each step, [draws, steps + 1]; from 0."""
        summed = np.add.reduceat((weights * of)[:, self.order], self.ends, axis=1).cumsum(axis=1)
        return np.concatenate([np.zeros((len(weights), 1)), summed], axis=1)


def measure(scores: np.ndarray, known: np.ndarray, right: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The measures under each weighting, float64 [draws] each; nan where a weighting lacks one side.

    Args:
        scores: float64 [images].
        known, right: bool [images]; `right`: it was called by its name.
        weights: [draws, images].
    """
    images = Sorted.of(scores, known, right)
    rows = max(1, _CELLS // max(1, len(scores)))
    parts = [_measure(images, weights[start : start + rows]) for start in range(0, len(weights), rows)]
    return {name: np.concatenate([part[name] for part in parts]) for name in MEASURES}


def _measure(images: Sorted, weights: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        hits, misses = images.reached(weights, images.known), images.reached(weights, ~images.known)
        recall, false = hits / hits[:, -1:], misses / misses[:, -1:]
        named = images.reached(weights, images.right) / hits[:, -1:]
        precision = np.nan_to_num(hits / (hits + misses), nan=1.0)
        return {
            "auroc": _area(recall, false),
            "fpr95": _at(recall, false, 0.95),
            "aupr": (np.diff(recall, axis=1) * precision[:, 1:]).sum(axis=1),
            "oscr": _area(named, false),
        }


def _area(height: np.ndarray, width: np.ndarray) -> np.ndarray:
    return np.asarray((np.diff(width, axis=1) * (height[:, 1:] + height[:, :-1]) / 2).sum(axis=1))


def _at(recall: np.ndarray, false: np.ndarray, target: float) -> np.ndarray:
    """False-positive rate where the recall first reaches a target, by a straight line from the step before."""
    there = np.argmax(recall >= target - 1e-12, axis=1)
    rows = np.arange(len(recall))
    low, high = recall[rows, there - 1], recall[rows, there]
    part = np.clip((target - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.asarray(false[rows, there - 1] + part * (false[rows, there] - false[rows, there - 1]))


def points_at(scores: np.ndarray, points: np.ndarray, coverages: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean points of each share of images that scores highest, under each weighting, float64 [draws, coverages].

    Images of one score are taken in equal parts; so is the one at the edge.
    """
    all_of_them = np.ones(len(scores), dtype=bool)
    images = Sorted.of(scores, all_of_them, all_of_them)
    count, earned = images.reached(weights, all_of_them), images.reached(weights, points)
    goals = coverages * count[:, -1:]
    return np.array([np.interp(goal, c, e) / goal for goal, c, e in zip(goals, count, earned, strict=True)])
