"""Selective search (Uijlings et al. 2013) by OpenCV: boxes of segments that were joined by likeness. No weights.

OpenCV orders the boxes by a random number, so their objectness is measured here: the contrast of their colours with
those around them, times the root of their size. Of the two, and of what else was tried on scenes, it ranked best.
"""

import numpy as np
from PIL import Image

from nounflow.config.regions import ProposalsConfig
from nounflow.errors import NounflowError
from nounflow.regions.boxes import grown
from nounflow.regions.proposals import ProposalSource

_SIDE = 240  # pixels of the longer side: at 400 it takes three times as long, and its best boxes are no better
_CONTRAST_SIDE = 160  # histograms need no more
_LEVELS = 4  # of each colour channel


def load(_config: ProposalsConfig, _device: str) -> ProposalSource:
    """The fast variant.

    Raises:
        NounflowError: OpenCV's contributed modules are not installed.
    """
    try:
        import cv2

        create = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation
    except (ImportError, AttributeError):
        raise NounflowError(
            "Selective search needs OpenCV with its contributed modules",
            fix="pip install -e '.[regions]' in the project's folder, and no other package of OpenCV beside it",
        ) from None
    cv2.setNumThreads(1)  # images are shared out to threads already

    def source(image: Image.Image, _file: str) -> tuple[np.ndarray, np.ndarray]:
        scale = min(1.0, _SIDE / max(image.size))
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR) if scale < 1 else image)
        if min(size) < 4:
            return np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32)
        search = create()
        search.setBaseImage(np.ascontiguousarray(pixels[:, :, ::-1]))
        search.switchToSelectiveSearchFast()
        found = np.asarray(search.process(), dtype=np.float32).reshape(-1, 4)
        found[:, 2:] += found[:, :2]
        boxes = found * np.array([image.width / size[0], image.height / size[1]] * 2, dtype=np.float32)
        size_share = (found[:, 2:] - found[:, :2]).prod(axis=1) / (size[0] * size[1])
        return boxes, colour_contrast(image, boxes) * size_share**0.25

    return source


def colour_contrast(image: Image.Image, boxes: np.ndarray, surroundings: float = 1.5) -> np.ndarray:
    """Contrast of each box [n, 4] with the ring up to `surroundings` times its sides: float32 [n], 0 to 1.

    Half the chi-squared distance of two histograms (Alexe, Deselaers and Ferrari 2012). A box without a ring has 0.
    """
    small = image.copy()
    small.thumbnail((_CONTRAST_SIDE, _CONTRAST_SIDE))
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
