"""Angles between many pairs of unit vectors, counted in blocks so that memory stays bounded."""

from collections.abc import Iterable

import numpy as np

from nounflow.schemas.embedder_checks import AngleStatistics

PAIRS = 64_000_000  # more are sampled; ImageNet's 50,000 images x 1,000 classes are counted whole
_BLOCK = 1_000_000  # cosines at a time
_FINE = 18_000  # bins of 0.01 degrees, from which medians are read
_BINS = 360  # bins of half a degree, as written


def statistics(blocks: Iterable[np.ndarray]) -> AngleStatistics | None:
    """Of the angles of cosines in arrays of any shape; None without pairs. Quantiles are right to 0.01 degrees."""
    counts, total, squares = np.zeros(_FINE, dtype=np.int64), 0.0, 0.0
    for cosines in blocks:
        degrees = np.rad2deg(np.arccos(np.clip(cosines.reshape(-1).astype(np.float64), -1, 1)))
        counts += np.bincount(np.minimum((degrees * (_FINE / 180)).astype(np.int64), _FINE - 1), minlength=_FINE)
        total += float(degrees.sum())
        squares += float((degrees**2).sum())
    pairs = int(counts.sum())
    if not pairs:
        return None
    mean = total / pairs
    cumulated = np.cumsum(counts)
    low, median, high = (
        (int(np.searchsorted(cumulated, level * pairs)) + 0.5) * (180 / _FINE) for level in (0.05, 0.5, 0.95)
    )
    return AngleStatistics(
        pairs=pairs,
        mean=mean,
        std=max(0.0, squares / pairs - mean**2) ** 0.5,
        median=median,
        low=low,
        high=high,
        histogram=tuple(counts.reshape(_BINS, -1).sum(1).tolist()),
    )


def parallel_angles(first: np.ndarray, second: np.ndarray) -> AngleStatistics:
    """Angles between parallel unit rows [n, dim], n > 0."""
    parts = _blocks(len(first), first.shape[1])
    found = statistics(
        np.einsum("nd,nd->n", first[part].astype(np.float64), second[part].astype(np.float64)) for part in parts
    )
    assert found is not None
    return found


def all_angles(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> AngleStatistics:
    """Angles between every row of `first` and every row of `second`; above `PAIRS`, rows of `first` are drawn."""
    first = _thinned(first, max(1, PAIRS // len(second)), rng)
    found = statistics(first[part] @ second.T for part in _blocks(len(first), len(second)))
    assert found is not None
    return found


def angles_within(vectors: np.ndarray, rng: np.random.Generator) -> AngleStatistics | None:
    """Angles between each two different rows, None of fewer than two; above `PAIRS`, rows are drawn."""
    vectors = _thinned(vectors, int((2 * PAIRS) ** 0.5), rng)
    blocks = (vectors[part] @ vectors[part.start :].T for part in _blocks(len(vectors), len(vectors)))
    return statistics(cosines[np.triu(np.ones(cosines.shape, dtype=bool), k=1)] for cosines in blocks)


def _blocks(rows: int, columns: int) -> list[slice]:
    """Runs of rows that have so many cosines each, about, as memory has room for."""
    step = max(1, _BLOCK // max(1, columns))
    return [slice(start, start + step) for start in range(0, rows, step)]


def _thinned(vectors: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    if len(vectors) <= most:
        return vectors
    return vectors[np.sort(rng.choice(len(vectors), size=most, replace=False))]
