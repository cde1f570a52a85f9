"""Selective search (Uijlings et al. 2013) by OpenCV: boxes of segments that were joined by likeness. No weights.

OpenCV orders the boxes by a random number, so their objectness is measured here: the contrast of their colours with
those around them, times the root of their size. Of the two, and of what else was tried on scenes, it ranked best.
"""

import numpy as np
from PIL import Image

from nounflow.config.regions import ProposalsConfig
from nounflow.errors import NounflowError
from nounflow.regions.contrast import colour_contrast

_SIDE = 240  # pixels of the longer side: at 400 it takes three times as long, and its best boxes are no better


def load(_config: ProposalsConfig, _device: str) -> "SelectiveSearch":
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
    return SelectiveSearch(create)


class SelectiveSearch:
    """See `ProposalSource`."""

    def __init__(self, create: object) -> None:
        self._create = create

    def __call__(self, image: Image.Image, _file: str) -> tuple[np.ndarray, np.ndarray]:
        scale = min(1.0, _SIDE / max(image.size))
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR) if scale < 1 else image)
        if min(size) < 4:
            return np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32)
        search = self._create()  # type: ignore[operator]
        search.setBaseImage(np.ascontiguousarray(pixels[:, :, ::-1]))
        search.switchToSelectiveSearchFast()
        found = np.asarray(search.process(), dtype=np.float32).reshape(-1, 4)
        found[:, 2:] += found[:, :2]
        boxes = found * np.array([image.width / size[0], image.height / size[1]] * 2, dtype=np.float32)
        size_share = (found[:, 2:] - found[:, :2]).prod(axis=1) / (size[0] * size[1])
        return boxes, colour_contrast(image, boxes) * size_share**0.25
