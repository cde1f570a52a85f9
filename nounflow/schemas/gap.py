"""How far images lie from texts, measured without any label."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from nounflow.schemas.documents import EmbedderIdentity


class ImageTextGap(BaseModel):
    """results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedder: EmbedderIdentity
    training_set: str  # sha256 of its index
    image_set: str
    images: int
    texts: int  # of the training split, among which each image's nearest was looked for
    angles: tuple[float, ...]  # quantiles, evenly spaced from least to greatest, in degrees: image to nearest text
    angle_mean: float
    angle_std: float
    shift: tuple[float, ...]  # [dim], mean image - mean of the images' nearest texts
    shift_norm: float
    residual_norm: float  # root mean square length of image - nearest text - shift
    axes: tuple[tuple[float, ...], ...]  # [axes, dim] of these residuals, each as long as its standard deviation
    variances: tuple[float, ...]  # [dim] of these residuals
