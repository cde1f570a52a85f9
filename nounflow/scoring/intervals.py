"""Bootstrap intervals and p-values of means over images.

Scores take few values, so resampling n images with replacement is one multinomial draw over the distinct
values and a matrix product: the same distribution as drawing images, at a cost that does not grow with n.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DRAWS = 10_000
_TAILS = ((1.0 - 0.95) / 2.0, 1.0 - (1.0 - 0.95) / 2.0)  # of a 95 % interval
_MOST_CELLS = 256  # of continuous values; within a cell their spread is lost, under 1/256 of the range


class Estimate(NamedTuple):
    """What is known of a mean other than zero: its interval and how likely so large a mean is if there is none."""

    low: float
    high: float
    p: float  # two-sided; at least 2 / (draws + 1)


Numbers = Sequence[float] | np.ndarray


def mean_interval(values: Numbers, rng: np.random.Generator, draws: int = DRAWS) -> tuple[float, float]:
    """Percentile bootstrap interval (95 %) of the mean of `values`, one value an image.

    For a paired comparison pass the images' differences: both runs are then resampled on the same draws.

    Args:
        values: [images], at least one.
        draws: bootstrap samples.

    Raises:
        ValueError: no values.
    """
    return percentiles(resampled_means(values, rng, draws))


def mean_estimate(values: Numbers, rng: np.random.Generator, draws: int = DRAWS) -> Estimate:
    """Interval of a mean of differences, and the p-value that goes with it: below 0.05 only if 0 is outside."""
    means = resampled_means(values, rng, draws)
    smaller = min(int((means <= 1e-12).sum()), int((means >= -1e-12).sum()))
    return Estimate(*percentiles(means), min(1.0, 2.0 * (smaller + 1) / (draws + 1)))


def resampled_means(values: Numbers, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Means of `draws` bootstrap samples, float64 [draws]."""
    cells, counts = _cells(np.asarray(values, dtype=np.float64))
    n = int(counts.sum())
    if n == 0:
        raise ValueError("a mean over no images has no interval")
    return np.asarray(rng.multinomial(n, counts / n, size=draws) @ cells / n)  # [draws, cells] @ [cells]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the chance of one false finding among all of them stays below the level."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = highest
    return adjusted


def centred(draws: np.ndarray, value: float) -> np.ndarray:
    """Bootstrap samples [draws] about the value: of average precision, which images that a sample holds twice lift."""
    return np.asarray(draws + (value - draws.mean()))


def percentiles(means: np.ndarray) -> tuple[float, float]:
    """Between which 95 % of bootstrap samples [draws] lie, as many below as above."""
    low, high = np.quantile(means, _TAILS)
    return float(low), float(high)


def _cells(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and how often each occurs; of many continuous ones, the means of narrow cells."""
    # Rounding joins 0.8 - 0.5 with 0.3: one cell, not two.
    cells, counts = np.unique(np.round(values, 9), return_counts=True)
    if len(cells) <= _MOST_CELLS:
        return cells, counts
    place = ((cells - cells[0]) / (cells[-1] - cells[0]) * _MOST_CELLS).astype(int).clip(max=_MOST_CELLS - 1)
    joined = np.bincount(place, counts, _MOST_CELLS)
    sums = np.bincount(place, counts * cells, _MOST_CELLS)
    kept = joined > 0
    return sums[kept] / joined[kept], joined[kept].astype(np.int64)
