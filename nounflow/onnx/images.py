"""An image as an exported image tower takes it, with Pillow and NumPy alone."""

from __future__ import annotations

import numpy as np
from PIL import Image

from nounflow.schemas.onnx import ImagePreparation


def prepared(image: Image.Image, how: ImagePreparation) -> np.ndarray:
    """uint8 [height, width, 3] of an upright RGB image."""
    resample = Image.Resampling[how.interpolation.upper()]
    if how.resize == "pad":
        side = max(image.size)
        square = Image.new("RGB", (side, side), (255, 255, 255))
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        image = square
    if how.resize != "shortest":
        return np.asarray(image.resize((how.width, how.height), resample))
    short = min(image.size)
    wide, high = (int(how.height * side / short) for side in image.size)  # the shorter one becomes how.height
    left, top = ((found - wanted) / 2 for found, wanted in ((wide, how.width), (high, how.height)))
    left, top = (round(left), round(top)) if how.crop_rounds else (int(left), int(top))
    return np.asarray(image.resize((wide, high), resample).crop((left, top, left + how.width, top + how.height)))
