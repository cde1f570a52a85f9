"""Recall of proposals: what detection cannot do better than. AR@k as COCO's, whatever the name of a box."""

from collections.abc import Mapping

import numpy as np

from nounflow.regions.boxes import overlap

THRESHOLDS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
LIMITS = (10, 100, 300)


def best_overlaps(
    proposals: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], limit: int | None = None
) -> dict[str, np.ndarray]:
    """Overlap of each true box with the proposal that it is paired with, file -> float32 [n].

    Pairs are made greedily by overlap, each proposal once, as COCO's evaluation pairs detections.

    Args:
        proposals: file -> boxes [n, 4], the likeliest objects first.
        truth: file -> boxes [n, 4].
        limit: proposals of an image that count; None: all.
    """
    found = {}
    for file, boxes in truth.items():
        taken = np.zeros(len(boxes), dtype=np.float32)
        overlaps = overlap(proposals.get(file, np.zeros((0, 4), dtype=np.float32))[:limit], boxes)
        while overlaps.size and (best := overlaps.max()) > 0:
            row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
            taken[column] = best
            overlaps[row], overlaps[:, column] = 0, 0
        found[file] = taken
    return found


def recall(
    proposals: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], limit: int | None = None
) -> tuple[float | None, float | None]:
    """Share of boxes found at an overlap of 0.5, and the mean over 0.5, 0.55 ... 0.95; None where there are none.

    Args as of `best_overlaps`.
    """
    every = np.concatenate([*best_overlaps(proposals, truth, limit).values(), np.zeros(0, dtype=np.float32)])
    if not len(every):
        return None, None
    shares = [(every >= threshold - 1e-6).mean() for threshold in THRESHOLDS]
    return float(shares[0]), float(np.mean(shares))
