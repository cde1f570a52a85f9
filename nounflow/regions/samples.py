"""What a name's probe learns from: boxes that fit a pseudo box or a true one, and others of the same images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nounflow.config.regions import ProbeConfig
from nounflow.regions.boxes import best_overlap
from nounflow.streams import stream


class Samples(NamedTuple):
    """Rows among the boxes of some images."""

    rows: dict[str, np.ndarray]  # file -> int64 [n]
    positive: dict[str, np.ndarray]  # file -> bool [n]

    @property
    def positives(self) -> int:
        """How many fit."""
        return sum(int(part.sum()) for part in self.positive.values())


def draw_samples(
    boxes: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], config: ProbeConfig, seed: int, name: str
) -> Samples:
    """Positives and negatives of one name; they depend on no other name.

    Args:
        boxes: file -> the proposals, [n, 4].
        targets: file -> boxes that stand for the name, [m, 4], at least one.
    """
    rows, positive = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for file, aims in targets.items():
        fits = best_overlap(boxes[file], aims) >= config.positive_iou
        if not fits.any():
            continue
        others = np.flatnonzero(~fits)
        most = config.negatives * int(fits.sum())
        if len(others) > most:
            others = np.sort(stream(seed, "negatives", name, file).choice(others, most, replace=False))
        rows[file] = np.concatenate([np.flatnonzero(fits), others])
        positive[file] = np.arange(len(rows[file])) < fits.sum()
    return Samples(rows, positive)


def background_rows(boxes: int, most: int, seed: int, file: str) -> np.ndarray:
    """Some rows of an image's boxes, drawn for no name: int64, ascending."""
    drawn = stream(seed, "background", file).permutation(boxes)[:most]
    return np.asarray(np.sort(drawn))


def gather(samples: Samples, features: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, d] and targets, float32 [n], of samples."""
    files = list(samples.rows)
    return (
        np.concatenate([features[file][samples.rows[file]] for file in files]),
        np.concatenate([samples.positive[file] for file in files]).astype(np.float32),
    )
