"""Probabilities that mean what they say, fitted to labelled images: a temperature, and room for "none of these"."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nounflow.predictors.log_linear import LogLinear, fit
from nounflow.streams import stream

CALIBRATION = "calibration.json"  # beside a model's manifest
_FOLDS = 5
_TINY = 1e-12


class Calibrated(NamedTuple):
    """A fitted rule, and what it makes of each image under a rule that was fitted without that image."""

    rule: LogLinear
    first: np.ndarray  # float64 [n], probability of the first candidate, in cross-validation


def fit_calibration(probabilities: np.ndarray, right: np.ndarray) -> Calibrated:
    """The rule of greatest likelihood, and its cross-validated probabilities of first candidates.

    Args:
        probabilities: float [n, k] of the candidates, best first; 0 where there are fewer.
        right: bool [n, k], which of them are right.
    """
    scores = _logs(probabilities)
    truth = np.where(right.any(axis=1), right.argmax(axis=1), right.shape[1])
    fold_of = stream(0, "calibration folds").permutation(len(truth)) % _FOLDS  # files are sorted by what they show
    first = np.zeros(len(truth))
    for fold in range(_FOLDS):
        mine = fold_of == fold
        if mine.any():
            first[mine] = np.exp(fit(scores[~mine], truth[~mine]).log_probabilities(scores[mine])[:, 0])
    return Calibrated(fit(scores, truth), first)


def calibrated(probabilities: np.ndarray, weight: float, none: float) -> np.ndarray:
    """Probabilities [n, k] under a rule; what they lack to 1 is that of none of the candidates."""
    found = np.exp(LogLinear((weight,), none).log_probabilities(_logs(probabilities))[:, :-1])
    return np.where(probabilities > 0, found, 0.0)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """[n, k] -> [n, k, 1], -inf where there is no candidate."""
    values = probabilities.astype(np.float64)
    return np.where(values > 0, np.log(np.maximum(values, _TINY)), -np.inf)[..., None]
