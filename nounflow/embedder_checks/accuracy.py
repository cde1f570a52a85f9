"""Zero-shot accuracy: the class whose text embedding lies nearest to the image's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from nounflow.schemas.embedder_checks import ClassAccuracy, Confusion, Share

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_IMAGES = 1024  # scored at a time: what bounds memory
_CONFUSIONS = 20


@dataclass(frozen=True)
class ClassRanking:
    """What the nearest classes of each image are."""

    ranks: np.ndarray  # int64 [images]: classes nearer than the right one; 0 is right
    nearest: np.ndarray  # int64 [images]: the nearest class


def zero_shot(images: np.ndarray, gold: np.ndarray, classes: np.ndarray) -> ClassRanking:
    """ClassRanking for unit images [n, dim] with right classes gold [n] among unit classes [classes, dim].

    Of equally near classes the earlier one counts as nearer.
    """
    ranks = np.zeros(len(images), dtype=np.int64)
    nearest = np.zeros(len(images), dtype=np.int64)
    numbers = np.arange(len(classes))
    for start in range(0, len(images), _IMAGES):
        rows = slice(start, start + _IMAGES)
        cosines = images[rows].astype(np.float32) @ classes.T  # [block, classes]
        right = gold[rows, None]
        own = np.take_along_axis(cosines, right, axis=1)
        ranks[rows] = ((cosines > own) | ((cosines == own) & (numbers < right))).sum(1)
        nearest[rows] = cosines.argmax(1)
    return ClassRanking(ranks, nearest)


def share(correct: int, n: int) -> Share:
    """A share with its Wilson interval (Wilson 1927); n must be 1 or more."""
    p = correct / n
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Share(
        correct=correct, n=n, value=p, low=min(p, max(0.0, centre - half)), high=max(p, min(1.0, centre + half))
    )


def per_class(
    gold: np.ndarray, right: np.ndarray, unreadable: Sequence[int], classes: Mapping[str, str]
) -> tuple[ClassAccuracy, ...]:
    """Accuracy on each class that has images, in the order of `classes`.

    Args:
        gold: int [images], classes by number.
        right: bool [images].
        unreadable: classes of images that could not be read; they count as wrong.
        classes: key -> name.
    """
    n = np.bincount(np.concatenate([gold, np.asarray(unreadable, dtype=np.int64)]), minlength=len(classes))
    correct = np.bincount(gold[right], minlength=len(classes))
    return tuple(
        ClassAccuracy(key=key, name=name, top1=share(int(correct[i]), int(n[i])))
        for i, (key, name) in enumerate(classes.items())
        if n[i]
    )


def confusions(gold: np.ndarray, nearest: np.ndarray, classes: Mapping[str, str]) -> tuple[Confusion, ...]:
    """The pairs of classes that are taken for each other most often."""
    keys = list(classes)
    labels = [name if list(classes.values()).count(name) == 1 else f"{name} ({key})" for key, name in classes.items()]
    wrong = gold != nearest
    pairs, counts = np.unique(gold[wrong] * len(keys) + nearest[wrong], return_counts=True)
    images = np.bincount(gold, minlength=len(keys))
    return tuple(
        Confusion(
            gold=labels[pairs[i] // len(keys)],
            predicted=labels[pairs[i] % len(keys)],
            n=int(counts[i]),
            share=float(counts[i] / images[pairs[i] // len(keys)]),
        )
        for i in np.argsort(-counts, kind="stable")[:_CONFUSIONS].tolist()
    )
