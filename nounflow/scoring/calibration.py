"""Do a run's own probabilities mean anything: calibration error, and risk against coverage."""

from dataclasses import dataclass

import numpy as np

from nounflow.scoring.intervals import DRAWS, percentiles

BINS = 15  # of equal width, as in Guo et al. 2017 (On calibration of modern neural networks)
_FINE = 8  # parts of a bin within which images are resampled as one
_GRID = np.linspace(0.05, 1.0, 20)


@dataclass(frozen=True)
class Bin:
    """Images whose first noun had a probability in [low, high)."""

    low: float
    high: float
    n: int
    confidence: float  # their mean probability
    correct: float  # share of them that is right


@dataclass(frozen=True)
class RiskCoverage:
    """Share of wrong first nouns among the images that the run is surest of."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float  # mean risk over all coverages: the chance of being wrong when the run may abstain


def calibration(probability: np.ndarray, correct: np.ndarray) -> tuple[float, tuple[Bin, ...]]:
    """Expected calibration error, and the bins that hold images.

    Args:
        probability: float64 [images], of the first noun.
        correct: bool [images].
    """
    place = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    held = np.flatnonzero(counts)
    confidence = np.bincount(place, probability, BINS)[held] / counts[held]
    right = np.bincount(place, correct.astype(float), BINS)[held] / counts[held]
    error = float(np.abs(confidence - right) @ counts[held] / counts.sum())
    rows = zip(held.tolist(), confidence.tolist(), right.tolist(), strict=True)
    return error, tuple(Bin(i / BINS, (i + 1) / BINS, int(counts[i]), c, r) for i, c, r in rows)


def calibration_interval(
    probability: np.ndarray, correct: np.ndarray, rng: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float]:
    """Bootstrap interval (95 %) of the calibration error, over images.

    Chance alone makes gaps in bins of few images, so the error is biased upwards and its bootstrap draws twice. The
    basic interval (Davison and Hinkley 1997, section 5.2) turns the draws around the error and so takes that out.
    """
    n = len(probability)
    fine = np.clip((probability * BINS * _FINE).astype(int), 0, BINS * _FINE - 1)
    cells, index = np.unique(2 * fine + correct, return_inverse=True)
    counts = np.bincount(index)
    gaps = np.zeros((len(cells), BINS))  # [cells, bins]: claimed minus right of an image, in the bin of its cell
    gaps[np.arange(len(cells)), cells // (2 * _FINE)] = np.bincount(index, probability - correct) / counts
    errors = np.abs(rng.multinomial(n, counts / n, size=draws) @ gaps).sum(axis=1) / n  # [draws]
    low, high = percentiles(errors)
    twice = 2 * calibration(probability, correct)[0]
    return float(np.clip(twice - high, 0, 1)), float(np.clip(twice - low, 0, 1))


def risk_coverage(probability: np.ndarray, correct: np.ndarray) -> RiskCoverage:
    """Images of one probability are taken in no order: between them the wrong ones grow evenly."""
    order = np.argsort(-probability, kind="stable")
    wrong = np.concatenate([[0.0], np.cumsum(~correct[order])])
    ends = np.flatnonzero(np.diff(probability[order], append=-np.inf)) + 1  # where a group of equal ones ends
    n = len(probability)
    counts = np.arange(1, n + 1)
    expected = np.interp(counts, [0, *ends], wrong[[0, *ends]]) / counts
    taken = np.maximum(1, np.round(_GRID * n)).astype(int)
    return RiskCoverage(tuple((taken / n).tolist()), tuple(expected[taken - 1].tolist()), float(expected.mean()))
