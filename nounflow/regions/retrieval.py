"""Pseudo boxes: of each name the boxes that are most like it, found in one pass over any number of images.

What is held is a heap of the best boxes of each name, with the images that these lie in: it grows with names, not with
images.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from nounflow.config.regions import RetrievalConfig
from nounflow.regions.boxes import suppressed
from nounflow.regions.image_regions import ImageRegions


@dataclass(frozen=True, order=True)
class PseudoBox:
    """A box that stands for a name."""

    cosine: float  # of its vector and the name's
    order: int  # minus the number of the image, so that of equals the first stays
    row: int  # among the image's boxes
    image: ImageRegions = field(compare=False)


class BestBoxes:
    """The best boxes of each name so far."""

    def __init__(self, texts: np.ndarray, config: RetrievalConfig) -> None:
        """`texts` are unit rows [names, dim]."""
        self._texts, self._config = texts.astype(np.float32), config
        self._heaps: list[list[PseudoBox]] = [[] for _ in texts]
        self._seen = 0

    def offer(self, image: ImageRegions) -> None:
        """Take what is good enough of one more image."""
        self._seen += 1
        likely = np.flatnonzero(image.objectness >= (self._config.min_objectness or 0.0))
        if not len(likely):
            return
        cosines = image.combined()[likely] @ self._texts.T  # [likely, names]
        for name, heap in enumerate(self._heaps):
            full = len(heap) >= self._config.most
            if full and cosines[:, name].max() <= heap[0].cosine:
                continue
            for row in self._of_one_image(image.boxes[likely], cosines[:, name]):
                box = PseudoBox(float(cosines[row, name]), -self._seen, int(likely[row]), image)
                if len(heap) < self._config.most:
                    heapq.heappush(heap, box)
                else:
                    heapq.heappushpop(heap, box)

    def found(self) -> list[list[PseudoBox]]:
        """Of each name its boxes, the most like it first; fewer than asked for, or none, where there are no more."""
        return [sorted(heap, reverse=True) for heap in self._heaps]

    def _of_one_image(self, boxes: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """Rows that one image may give to a name, the most like it first."""
        iou = self._config.dedup_iou
        rows = np.argsort(-cosines, kind="stable") if iou is None else suppressed(boxes, cosines, iou)
        return rows[: self._config.per_image or self._config.most]
