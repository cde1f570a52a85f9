"""The proposals of one image with their vectors: what all of detection is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nounflow.regions.boxes import geometry
from nounflow.store.rows import unit

SCALES = (1.0, 1.5)  # a box, and the same with half as much again around it


@dataclass(frozen=True)
class ImageRegions:
    """Boxes of one image, the likeliest objects first."""

    file: str
    width: int
    height: int
    boxes: np.ndarray  # float32 [n, 4]: x0, y0, x1, y1 in pixels
    objectness: np.ndarray  # float32 [n], 0 to 1
    vectors: np.ndarray  # unit rows [n, scales, dim], of the box and of the box with its surroundings

    def combined(self, one_scale: bool = False) -> np.ndarray:
        """What a box is compared with texts by, unit rows float32 [n, dim]: the normalised sum over the scales."""
        vectors = self.vectors.astype(np.float32)
        return unit(vectors[:, 0] if one_scale else vectors.sum(axis=1))

    def features(self, one_scale: bool = False) -> np.ndarray:
        """What a probe sees of a box, float32 [n, 3 dim + 8]: [e1.0 | e1.5 | e1.5 - e1.0 | geometry].

        The difference of the scales answers to a box that is too large or too small for its object. With one scale:
        [e1.0 | geometry].
        """
        vectors = self.vectors.astype(np.float32)
        place = geometry(self.boxes, self.objectness, self.width, self.height)
        if one_scale:
            return np.concatenate([vectors[:, 0], place], axis=1)
        near, wide = vectors[:, 0], vectors[:, 1]
        return np.concatenate([near, wide, wide - near, place], axis=1)
