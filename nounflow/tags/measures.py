"""Average precision and F1 of several labels an image, with bootstrap intervals over images (He et al. 2023, BiAM)."""

from dataclasses import dataclass

import numpy as np

from nounflow.scoring.intervals import centred
from nounflow.streams import stream

DRAWS = 500


def average_precision(scores: np.ndarray, truth: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Mean precision at the positives of one label, over images that are annotated for it; 0 where none is positive.

    Images of one score are one step: which of them stands first says nothing.

    Args:
        scores, truth: [n]; truth +1, -1, or 0 for unknown, which is left out.
        counts: how often each image stands in some bootstrap samples, [draws, n]; None: once.

    Returns:
        float64 [draws], or [1].
    """
    known = truth != 0
    order = np.argsort(-scores[known], kind="stable")
    times = np.ones((1, int(known.sum()))) if counts is None else counts[:, known]
    times = times[:, order].astype(np.float64)
    right = times * (truth[known][order] > 0)
    falling = -scores[known][order]
    ends = np.searchsorted(falling, falling, side="right") - 1  # of each image the last of its score
    found, seen = right.cumsum(axis=1)[:, ends], times.cumsum(axis=1)[:, ends]
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    positives = right.sum(axis=1)
    return np.asarray((right * precision).sum(axis=1) / np.maximum(positives, 1))


def chosen(scores: np.ndarray, most: int) -> np.ndarray:
    """The `most` best labels of each image that have a finite score, bool [n, labels]."""
    found = np.zeros(scores.shape, dtype=bool)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    np.put_along_axis(found, best, True, axis=1)
    return np.asarray(found & np.isfinite(scores))


@dataclass(frozen=True)
class SetCounts:
    """Of each image: labels that were given rightly, given in all, and present; int64 [n]."""

    right: np.ndarray
    given: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, given: np.ndarray, truth: np.ndarray, further: np.ndarray | int = 0) -> "SetCounts":
        """Labels that were given [n, labels] against +1, -1, 0; unknown ones count as wrong, as published.

        Args:
            further: nouns beyond the labels that each image was given, too: wrong.
        """
        present = truth > 0
        return cls((given & present).sum(axis=1), given.sum(axis=1) + further, present.sum(axis=1))

    def figures(self, counts: np.ndarray | None = None) -> np.ndarray:
        """Precision, recall, F1 (micro: of the sums over images) of bootstrap samples [draws, n]: [draws, 3]."""
        times = np.ones((1, len(self.right))) if counts is None else counts
        right, given, present = (times @ part for part in (self.right, self.given, self.present))
        precision, recall = right / np.maximum(given, 1), right / np.maximum(present, 1)
        f1 = 2 * right / np.maximum(given + present, 1)
        return np.stack([precision, recall, f1], axis=1)


def samples(images: int, seed: int) -> np.ndarray:
    """How often each image stands in the bootstrap samples, [draws, images]: the same for all methods, so paired."""
    return stream(seed, "tags", "bootstrap").multinomial(images, np.full(images, 1 / images), size=DRAWS)


@dataclass(frozen=True)
class LabelMeans:
    """mAP by both conventions, of the images and of their bootstrap samples."""

    each: np.ndarray  # [labels]
    positive: np.ndarray  # bool [labels]: has a positive image
    draws: np.ndarray  # [draws]: mean over the labels that have positives in a sample, centred at that of all images

    @classmethod
    def of(cls, scores: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> "LabelMeans":
        """Scores [n, labels] against the truth.

        Samples hold images twice, which lifts average precision: only how the draws spread is taken from them.
        """
        finite = np.where(np.isfinite(scores), scores, -1e30)
        each = np.array([average_precision(finite[:, c], truth[:, c])[0] for c in range(truth.shape[1])])
        positive = np.asarray((truth > 0).any(axis=0))
        if not positive.any():
            return cls(each, positive, np.zeros(len(counts)))
        drawn = np.array([average_precision(finite[:, c], truth[:, c], counts) for c in np.flatnonzero(positive)])
        there = (counts @ (truth[:, positive] > 0)).T > 0  # [labels, draws]
        means = (drawn * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        return cls(each, positive, centred(means, float(each[positive].mean())))

    @property
    def of_all(self) -> float:
        """Mean over all labels; one without positives counts as 0, as published."""
        return float(self.each.mean())

    @property
    def of_positive(self) -> float:
        """Mean over the labels that have positives."""
        return float(self.each[self.positive].mean()) if self.positive.any() else 0.0


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The threshold under which micro F1 of [n, labels] is largest; what is above it is given. 0 of no finite score."""
    order = np.argsort(-scores, axis=None, kind="stable")
    values, right = scores.ravel()[order].astype(np.float64), (truth.ravel()[order] > 0)
    f1 = 2 * right.cumsum() / (np.arange(1, len(right) + 1) + right.sum())
    ends = np.flatnonzero(np.isfinite(values) & (np.append(values[1:], -np.inf) < values))  # equal scores go together
    if not len(ends):
        return 0.0
    last = int(ends[np.argmax(f1[ends])])
    following = values[last + 1] if last + 1 < len(values) and np.isfinite(values[last + 1]) else values[last] - 1e-6
    return float((values[last] + following) / 2)
