"""Scores as one value an image: array in, array out.

Prediction, primary and overall score: NOVIC paper, section 4.2. `worst` takes an unjudged noun for wrong, which is
the score itself; `best` takes it for right, so the two bound what complete judgements would give.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nounflow.schemas.annotations import CATEGORIES
from nounflow.scoring.answers import CORRECT, POINTS, PRIMARY, UNJUDGED, JudgedAnswers
from nounflow.scoring.intervals import mean_interval


@dataclass(frozen=True)
class MeanScore:
    """A mean over images with its 95 % interval, and what it would be if every unjudged noun were right."""

    value: float
    low: float
    high: float
    if_unjudged_right: float


class Values(NamedTuple):
    """One value an image, float64 [images]."""

    worst: np.ndarray
    best: np.ndarray


@dataclass(frozen=True)
class TopK:
    """Of the first k nouns the best one: its points, and the share of images where it is right."""

    k: int
    score: float
    correct: float
    score_if_unjudged_right: float


def _weights(points: dict[str, float]) -> np.ndarray:
    return np.array([*(points[category] for category in CATEGORIES), 0.0, 0.0])  # by code


_PREDICTION = _weights(POINTS)
_PRIMARY = _weights({name: points if name in PRIMARY else 0.0 for name, points in POINTS.items()})
_CORRECT = _weights({name: float(name in CORRECT) for name in POINTS})


def prediction_values(judged: JudgedAnswers, ranks: int = 1) -> Values:
    """Points of the best of the first nouns, so many of them, of each image."""
    return _best_of(judged.codes[:, :ranks], _PREDICTION)


def primary_values(judged: JudgedAnswers) -> Values:
    """Points of the first noun of each image where it names the main subject."""
    return _best_of(judged.codes[:, :1], _PRIMARY)


def overall_values(judged: JudgedAnswers, factors: np.ndarray) -> Values:
    """Points of the first noun of each image times how specific it is; `factors`: float64 [images]."""
    worst, best = prediction_values(judged)
    return Values(worst * factors, best * factors)


def correct_values(judged: JudgedAnswers, ranks: int) -> Values:
    """1 where one of the first nouns, so many of them, is right (primary or secondary)."""
    return _best_of(judged.codes[:, :ranks], _CORRECT)


def top_k(judged: JudgedAnswers) -> tuple[TopK, ...]:
    """For k = 1, 2, ..."""
    worst, correct, best = (
        np.maximum.accumulate(weights[judged.codes], axis=1).mean(axis=0).tolist()
        for weights in (_PREDICTION, _CORRECT, _hopeful(_PREDICTION))
    )
    return tuple(map(TopK, range(1, len(worst) + 1), worst, correct, best))


def first_correct(judged: JudgedAnswers) -> np.ndarray:
    """Whether each first noun is right (primary or secondary), bool [images]."""
    return np.asarray(_CORRECT[judged.codes[:, 0]] > 0)


def mean_score(values: Values, rng: np.random.Generator) -> MeanScore:
    """The mean over images with its interval and upper bound."""
    low, high = mean_interval(values.worst, rng)
    return MeanScore(float(values.worst.mean()), low, high, float(values.best.mean()))


def _best_of(codes: np.ndarray, weights: np.ndarray) -> Values:
    """The best of the given ranks; [images, ranks] -> [images]."""
    return Values(weights[codes].max(axis=1), _hopeful(weights)[codes].max(axis=1))


def _hopeful(weights: np.ndarray) -> np.ndarray:
    """The same weights with a whole point for an unjudged noun."""
    hopeful = weights.copy()
    hopeful[UNJUDGED] = 1.0
    return hopeful
