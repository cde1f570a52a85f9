"""How many texts each noun gets."""

import numpy as np


def quotas(weights: np.ndarray, mean: float, low: int, high: int) -> np.ndarray:
    """Whole numbers proportional to `weights` [n] within `low` .. `high`, with the given mean where that is possible.

    If `mean` lies outside the bounds, every number is the nearer bound. The sum is exact: what rounding down leaves
    goes to the largest remainders.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if not len(weights) or mean <= low or mean >= high:
        return np.full(len(weights), low if mean <= low else high, dtype=np.int64)
    below, above = 0.0, high / weights.min()
    for _ in range(100):  # bisection on the factor: the sum grows with it
        factor = (below + above) / 2
        if np.clip(factor * weights, low, high).mean() < mean:
            below = factor
        else:
            above = factor
    exact = np.clip(above * weights, low, high)
    numbers: np.ndarray = np.floor(exact + 1e-9).astype(np.int64)
    left = round(len(weights) * mean) - int(numbers.sum())
    numbers[np.argsort(numbers - exact, kind="stable")[:left]] += 1  # the largest remainders
    return numbers
