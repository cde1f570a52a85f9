"""How an embedder prepares images, as facts that can be followed without it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from PIL import Image

from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import NounflowError
from nounflow.onnx.opening import prepared
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.onnx import ImagePreparation

_SHAPES = ((313, 211), (190, 457), (640, 647))  # width, height of images that both ways prepare


def preparation(identity: EmbedderIdentity) -> ImagePreparation:
    """What is known of an embedder's preparation of images.

    Raises:
        NounflowError: it is of a kind that is not exported.
    """
    family = identity.spec.partition(":")[0]
    if family == "bundled":
        facts = {"height": 260, "width": 260, "resize": "pad", "interpolation": "bicubic"}
        return ImagePreparation.model_validate(facts | {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3})
    try:
        settings = json.loads(identity.preprocessing.rpartition("; images: ")[2])
        facts = {"openclip": _of_openclip, "transformers": _of_transformers}[family](settings)
        return ImagePreparation.model_validate(facts)
    except (KeyError, TypeError, ValueError) as error:  # pydantic's is a ValueError
        raise _unknown(identity) from error


def check_preparation(embedder: TwoTowers, how: ImagePreparation) -> None:
    """Hold the facts against the embedder itself, on images of noise.

    Raises:
        NounflowError: other pixels come out.
    """
    for image in noise_images():
        ours, theirs = prepared(image, how), embedder.preprocess(image)
        if theirs.dtype != np.uint8:
            mean, std = (np.array(values).reshape(3, 1, 1) for values in (how.mean, how.std))
            ours = (ours.transpose(2, 0, 1) / 255 - mean) / std
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-5):
            raise _unknown(embedder.identity)


def noise_images() -> list[Image.Image]:
    """RGB images of several shapes."""
    drawn = np.random.Generator(np.random.Philox(0))
    return [Image.fromarray(drawn.integers(0, 256, (high, wide, 3), dtype=np.uint8)) for wide, high in _SHAPES]


def _of_openclip(settings: dict[str, Any]) -> dict[str, Any]:
    size = settings["size"]
    height, width = size if isinstance(size, list) else (size, size)
    return {
        "height": height,
        "width": width,
        "resize": settings["resize_mode"],
        **{name: settings[name] for name in ("interpolation", "mean", "std")},
    }


def _of_transformers(settings: dict[str, Any]) -> dict[str, Any]:
    cropped = bool(settings.get("do_center_crop"))
    size = settings["crop_size" if cropped else "size"]
    return {
        "height": size["height"],
        "width": size["width"],
        "resize": "shortest" if cropped else "squash",
        "interpolation": Image.Resampling(settings["resample"]).name.lower(),
        "crop_rounds": False,
        "mean": settings["image_mean"],
        "std": settings["image_std"],
    }


def _unknown(identity: EmbedderIdentity) -> NounflowError:
    return NounflowError(
        "How this embedder prepares images is not known well enough to do it elsewhere",
        where=identity.spec,
        fix="use the run itself; exported are the bundled embedder, and CLIP and SigLIP with images of one size",
    )
