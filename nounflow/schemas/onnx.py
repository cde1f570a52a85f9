"""What an export to ONNX leaves beside the graphs."""

from typing import Literal

from nounflow.schemas.documents import StoredDocument


class ImagePreparation(StoredDocument):
    """From an upright RGB image to what the image tower takes, uint8 [height, width, 3]."""

    height: int
    width: int
    resize: Literal["pad", "shortest", "squash"]
    """pad: the whole image on a white square; shortest: the shorter side fits and the middle is cut out; squash: both
    sides are made to fit."""
    interpolation: str  # as Pillow calls it
    crop_rounds: bool = True  # where the middle lies between two pixels: to the even one; else to the one before
    mean: tuple[float, float, float]  # of values from 0 to 1; the graph takes it off
    std: tuple[float, float, float]  # and divides by this


class OnnxManifest(StoredDocument):
    """onnx.json beside the graphs and the model's own manifest.json; written last."""

    images: ImagePreparation
    int8: bool  # weights of matrix products and tables are int8; else all are fp32
    files: dict[str, str]  # sha256 of the graphs and of manifest.json
    versions: dict[str, str]
