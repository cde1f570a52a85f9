"""Objectness where a proposal source has none: how much a box's colours differ from those around it.

The colour contrast of Alexe, Deselaers and Ferrari (2012), as half the chi-squared distance of two histograms, 0 to 1.
"""

import numpy as np
from PIL import Image

from nounflow.regions.boxes import grown

_SIDE = 160  # pixels of the longer side: histograms need no more
_LEVELS = 4  # of each colour channel


def colour_contrast(image: Image.Image, boxes: np.ndarray, surroundings: float = 1.5) -> np.ndarray:
    """Contrast of each box [n, 4] with the ring up to `surroundings` times its sides: float32 [n].

    A box that fills the image has no ring, and 0.
    """
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE))
    levels = np.asarray(small, dtype=np.int64) * _LEVELS // 256
    colours = (levels[..., 0].astype(np.int64) * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    one_hot = np.eye(_LEVELS**3, dtype=np.float32)[colours]
    sums = np.pad(one_hot.cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))  # [height + 1, width + 1, colours]
    scale = np.array([small.width / image.width, small.height / image.height] * 2)
    outer = grown(boxes, surroundings, image.width, image.height)
    inside, whole = _histogram(sums, boxes * scale), _histogram(sums, outer * scale)
    ring = whole - inside
    inner_share = inside / np.maximum(inside.sum(1, keepdims=True), 1)
    outer_share = ring / np.maximum(ring.sum(1, keepdims=True), 1)
    total = inner_share + outer_share
    contrast = 0.5 * ((inner_share - outer_share) ** 2 / np.where(total > 0, total, 1)).sum(1)
    return np.where(ring.sum(1) >= 1, contrast, 0).astype(np.float32)


def _histogram(sums: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Pixels of each colour within boxes [n, 4], from sums over all pixels above and to the left: [n, colours]."""
    left, top, right, bottom = np.rint(boxes).astype(int).T
    right, bottom = np.maximum(right, left + 1), np.maximum(bottom, top + 1)
    bottom, top = np.minimum(bottom, len(sums) - 1), np.minimum(top, len(sums) - 2)
    right, left = np.minimum(right, sums.shape[1] - 1), np.minimum(left, sums.shape[1] - 2)
    found = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(found)
