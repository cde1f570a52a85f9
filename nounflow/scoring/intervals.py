"""Bootstrap intervals of means over images.

Scores take few values, so resampling n images with replacement is one multinomial draw over the distinct
values: the same distribution as drawing images, at a cost that does not grow with n.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 10_000
LEVEL = 0.95


def mean_interval(
    values: Sequence[float] | np.ndarray, rng: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, one value an image.

    For a paired comparison pass the images' differences: both runs are then resampled on the same draws.

    Args:
        values: [images], at least one.
        draws: bootstrap samples.
        level: probability that the interval holds, 0.95 for 95 %.

    Raises:
        ValueError: no values.
    """
    # Rounding joins 0.8 - 0.5 with 0.3: one cell, not two.
    cells, counts = np.unique(np.round(np.asarray(values, dtype=np.float64), 9), return_counts=True)
    n = int(counts.sum())
    if n == 0:
        raise ValueError("a mean over no images has no interval")
    samples = rng.multinomial(n, counts / n, size=draws)  # [draws, cells]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(samples @ cells / n, [tail, 1.0 - tail])
    return float(low), float(high)
