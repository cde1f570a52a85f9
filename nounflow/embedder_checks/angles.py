"""Angles between many pairs of unit vectors, counted in blocks so that memory stays bounded."""

import numpy as np

from nounflow.schemas.embedder_checks import AngleStatistics

PAIRS = 64_000_000  # more are sampled; ImageNet's 50,000 images x 1,000 classes are counted whole
_BLOCK = 1_000_000  # cosines at a time
_FINE = 18_000  # bins of 0.01 degrees, from which medians are read
_BINS = 360  # bins of half a degree, as written


class AngleTally:
    """Counts, sums and quantiles of angles that arrive in blocks."""

    def __init__(self) -> None:
        self._counts = np.zeros(_FINE, dtype=np.int64)
        self._sum = self._squares = 0.0

    def add(self, cosines: np.ndarray) -> None:
        """Count the angles of cosines of any shape."""
        degrees = np.rad2deg(np.arccos(np.clip(cosines.reshape(-1).astype(np.float64), -1, 1)))
        bins = np.minimum((degrees * (_FINE / 180)).astype(np.int64), _FINE - 1)
        self._counts += np.bincount(bins, minlength=_FINE)
        self._sum += float(degrees.sum())
        self._squares += float((degrees**2).sum())

    def statistics(self) -> AngleStatistics | None:
        """What was counted, None without pairs. Quantiles are right to 0.01 degrees."""
        pairs = int(self._counts.sum())
        if not pairs:
            return None
        mean = self._sum / pairs
        cumulated = np.cumsum(self._counts)
        low, median, high = (
            (int(np.searchsorted(cumulated, level * pairs)) + 0.5) * (180 / _FINE) for level in (0.05, 0.5, 0.95)
        )
        return AngleStatistics(
            pairs=pairs,
            mean=mean,
            std=max(0.0, self._squares / pairs - mean**2) ** 0.5,
            median=median,
            low=low,
            high=high,
            histogram=tuple(self._counts.reshape(_BINS, -1).sum(1).tolist()),
        )


def parallel_angles(first: np.ndarray, second: np.ndarray) -> AngleStatistics:
    """Angles between parallel unit rows [n, dim], n > 0."""
    tally = AngleTally()
    rows = max(1, _BLOCK // first.shape[1])
    for start in range(0, len(first), rows):
        part = slice(start, start + rows)
        tally.add(np.einsum("nd,nd->n", first[part].astype(np.float64), second[part].astype(np.float64)))
    found = tally.statistics()
    assert found is not None
    return found


def all_angles(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> AngleStatistics:
    """Angles between every row of `first` and every row of `second`; above `PAIRS`, rows of `first` are drawn."""
    first = _thinned(first, max(1, PAIRS // len(second)), rng)
    tally = AngleTally()
    rows = max(1, _BLOCK // len(second))
    for start in range(0, len(first), rows):
        tally.add(first[start : start + rows] @ second.T)
    found = tally.statistics()
    assert found is not None
    return found


def angles_within(vectors: np.ndarray, rng: np.random.Generator) -> AngleStatistics | None:
    """Angles between each two different rows, None of fewer than two; above `PAIRS`, rows are drawn."""
    vectors = _thinned(vectors, int((2 * PAIRS) ** 0.5), rng)
    tally = AngleTally()
    rows = max(1, _BLOCK // max(1, len(vectors)))
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows]
        cosines = block @ vectors[start:].T
        tally.add(cosines[np.triu(np.ones(cosines.shape, dtype=bool), k=1)])
    return tally.statistics()


def _thinned(vectors: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    if len(vectors) <= most:
        return vectors
    return vectors[np.sort(rng.choice(len(vectors), size=most, replace=False))]
