"""Pseudo boxes: of each name the boxes that are most like it, found in one pass over any number of images.

What is held is a heap of the best boxes of each name, with the images that these lie in: it grows with names, not with
images.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
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


def best_boxes(images: Iterable[ImageRegions], texts: np.ndarray, config: RetrievalConfig) -> list[list[PseudoBox]]:
    """Of each name its best boxes, the most like it first; fewer than asked for, or none, where there are no more.

    Args:
        texts: unit rows of the names [names, dim].
    """
    texts = texts.astype(np.float32)
    heaps: list[list[PseudoBox]] = [[] for _ in texts]
    for number, image in enumerate(images, 1):
        likely = np.flatnonzero(image.objectness >= (config.min_objectness or 0.0))
        if not len(likely):
            continue
        cosines = image.combined()[likely] @ texts.T  # [likely, names]
        for name, heap in enumerate(heaps):
            if len(heap) >= config.most and cosines[:, name].max() <= heap[0].cosine:
                continue
            for row in _of_one_image(image.boxes[likely], cosines[:, name], config):
                box = PseudoBox(float(cosines[row, name]), -number, int(likely[row]), image)
                if len(heap) < config.most:
                    heapq.heappush(heap, box)
                else:
                    heapq.heappushpop(heap, box)
    return [sorted(heap, reverse=True) for heap in heaps]


def _of_one_image(boxes: np.ndarray, cosines: np.ndarray, config: RetrievalConfig) -> np.ndarray:
    """Rows that one image may give to a name, the most like it first."""
    iou = config.dedup_iou
    rows = np.argsort(-cosines, kind="stable") if iou is None else suppressed(boxes, cosines, iou)
    return rows[: config.per_image or config.most]
