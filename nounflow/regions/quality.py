"""How well a box fits whatever it holds, learnt from base boxes: a ridge regression of overlap on a box's features.

It is the way in which boxes of base names help novel ones. A box that holds no base object teaches nothing, for it may
hold a novel one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nounflow.regions.boxes import best_overlap

_LEAST = 0.1  # overlap with a base box from which on a proposal is one of that object
_PENALTY = 1.0


def fit_quality(
    boxes: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """Weights [d + 1], the last a constant, that estimate a box's overlap with its object; None without samples.

    Args:
        boxes: file -> proposals [n, 4].
        features: file -> [n, d].
        truth: file -> base boxes [m, 4].
    """
    inputs, wanted = list[np.ndarray](), list[np.ndarray]()
    for file, true in truth.items():
        if file not in boxes or not len(true):
            continue
        overlaps = best_overlap(boxes[file], true)
        taken = overlaps >= _LEAST
        inputs.append(features[file][taken])
        wanted.append(overlaps[taken])
    if not sum(map(len, wanted)):
        return None
    rows = _with_constant(np.concatenate(inputs).astype(np.float64))
    penalty = _PENALTY * np.eye(rows.shape[1])
    penalty[-1, -1] = 0
    solved = np.linalg.solve(rows.T @ rows + penalty, rows.T @ np.concatenate(wanted))
    return np.asarray(solved, dtype=np.float32)


def quality(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Estimated overlap of boxes with their objects by their features [n, d]: float32 [n], 0 to 1."""
    return np.asarray(np.clip(_with_constant(features) @ weights, 0, 1), dtype=np.float32)


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1), dtype=features.dtype)], axis=1)
