"""What a name's probe learns from: boxes that fit a pseudo box or a true one, and others of the same images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nounflow.config.regions import ProbeConfig
from nounflow.regions.boxes import best_overlap
from nounflow.streams import stream


def draw_samples(
    boxes: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], config: ProbeConfig, seed: int, name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positives and negatives of one name, which depend on no other name: file -> rows int64 [n], positive bool [n].

    Images in which no box fits are left out.

    Args:
        boxes: file -> the proposals, [n, 4].
        targets: file -> boxes that stand for the name, [m, 4], at least one.
    """
    samples = {}
    for file, aims in targets.items():
        fits = best_overlap(boxes[file], aims) >= config.positive_iou
        if not fits.any():
            continue
        others = np.flatnonzero(~fits)
        most = config.negatives * int(fits.sum())
        if len(others) > most:
            others = np.sort(stream(seed, "negatives", name, file).choice(others, most, replace=False))
        rows = np.concatenate([np.flatnonzero(fits), others])
        samples[file] = rows, np.arange(len(rows)) < fits.sum()
    return samples


def background_rows(boxes: int, most: int, seed: int, file: str) -> np.ndarray:
    """Some rows of an image's boxes, drawn for no name: int64, ascending."""
    drawn = stream(seed, "background", file).permutation(boxes)[:most]
    return np.asarray(np.sort(drawn))
