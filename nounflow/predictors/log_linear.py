"""Several log-probabilities of the same nouns pooled into one probability, and the pooling fitted by likelihood.

    p(noun) = exp(sum over parts of weight * log p_part(noun)) / Z,    p(none) = exp(none) / Z

over some candidates and "none of them", whose probability the rule owes to whatever was no candidate. The likelihood
is concave in the weights and `none`, so that Newton's method finds the one best rule, without a random draw.
With one part, 1 / weight is its temperature.
"""

from dataclasses import dataclass

import numpy as np

_STEPS = 100
_CLOSE = 1e-10  # of the squared Newton decrement
_FLOOR = -50.0  # a log-probability below this says no more than this


@dataclass(frozen=True)
class LogLinear:
    """A fitted rule."""

    weights: tuple[float, ...]  # one a part
    none: float  # log of what "none of the candidates" weighs

    def log_probabilities(self, parts: np.ndarray) -> np.ndarray:
        """Log-probability of each candidate and, in the last column, of none of them: float64 [n, c + 1].

        Args:
            parts: [n, c, parts] log-probabilities; a candidate that has -inf from all parts is none and gets -inf.
        """
        absent = _absent(parts)
        scores = np.where(absent, -np.inf, _floored(parts) @ np.asarray(self.weights))
        scores = np.concatenate([scores, np.full((len(parts), 1), self.none)], axis=1)
        top = scores.max(axis=1, keepdims=True)
        return np.asarray(scores - (top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))))


def fit(parts: np.ndarray, truth: np.ndarray) -> LogLinear:
    """The rule of greatest likelihood, with a normal prior that weighs as much as one sample.

    Args:
        parts: [n, c, parts] log-probabilities of the candidates.
        truth: [n], position of the right noun among its candidates, c where it is none of them.
    """
    absent = _absent(parts)
    features = np.zeros((len(parts), parts.shape[1] + 1, parts.shape[2] + 1))
    features[:, :-1, :-1] = np.where(absent[..., None], 0.0, _floored(parts))
    features[:, -1, -1] = 1.0
    closed = np.concatenate([absent, np.zeros((len(parts), 1), dtype=bool)], axis=1)
    right = features[np.arange(len(parts)), truth].sum(axis=0)
    start = np.array([*np.full(parts.shape[2], 1 / parts.shape[2]), -5.0])

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        scores = np.where(closed, -np.inf, features @ values)
        top = scores.max(axis=1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(scores - top).sum(axis=1))
        prior = ((values - start) ** 2).sum() / 2
        return normaliser.sum() - right @ values + prior, np.exp(scores - normaliser[:, None])

    values = start
    best, p = loss(values)
    for _step in range(_STEPS):
        mean = np.einsum("nc,ncf->nf", p, features)
        gradient = mean.sum(axis=0) - right + (values - start)
        centred = features - mean[:, None]
        hessian = np.einsum("nc,ncf,ncg->fg", p, centred, centred) + np.eye(len(values))
        move = np.linalg.solve(hessian, gradient)
        if gradient @ move < _CLOSE:
            break
        size = 1.0
        while (after := loss(values - size * move))[0] > best and size > _CLOSE:
            size /= 2
        values, (best, p) = values - size * move, after
    return LogLinear(tuple(values[:-1].tolist()), float(values[-1]))


def _floored(parts: np.ndarray) -> np.ndarray:
    return np.maximum(parts.astype(np.float64), _FLOOR)


def _absent(parts: np.ndarray) -> np.ndarray:
    """Which candidates are none, bool [n, c]."""
    return np.asarray(np.isneginf(parts).all(axis=-1))
