"""What noise takes from measurements: angles, a mean shift, a covariance."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from nounflow.config.noise import NoiseConfig
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_file
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import ImageTextGap
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream

AXES = 64  # most principal axes
_TEXTS = 20_000  # drawn for their covariance


@dataclass(frozen=True)
class NoiseShape:
    """What was measured for a noise, as float32 tensors. A part that the noise's scheme does not use is None.

    `axes` and `deviations` describe a covariance: a perturbation is a random sum of the axes plus independent noise
    with these deviations. Both are scaled so that the perturbation's squared length is 1 on average.
    """

    angles: torch.Tensor | None = None  # [quantiles], in degrees: evenly spaced quantiles, from least to greatest
    axes: torch.Tensor | None = None  # [rank, dim], principal axes
    deviations: torch.Tensor | None = None  # [dim], standard deviations of what the axes leave
    text_shift: torch.Tensor | None = None  # [dim], added to text embeddings
    image_shift: torch.Tensor | None = None  # [dim], subtracted from image embeddings
    source: str | None = None  # sha256 of the document that it was read from

    def to(self, device: str) -> "NoiseShape":
        """The same on another device."""
        parts = vars(self).items()
        moved: dict[str, Any] = {name: part.to(device) for name, part in parts if isinstance(part, torch.Tensor)}
        return replace(self, **moved)

    def shifted(self, texts: torch.Tensor) -> torch.Tensor:
        """Unit text embeddings [n, dim] with the mean shift added, at unit length again; unchanged without a shift."""
        return texts if self.text_shift is None else F.normalize(texts + self.text_shift, dim=-1)


NO_SHAPE = NoiseShape()


def load_noise_shape(config: NoiseConfig, gap: Path | None, training_set: TrainingSet) -> NoiseShape:
    """What a run's noise needs, from the gap's document or the training set's own texts.

    Raises:
        NounflowError: the noise needs the gap, and no document is named.
        MismatchError: the document is of another embedder or training set.
    """
    shape = shape_of(config, *_read_gap(config, gap, training_set)) if config.needs_images else NO_SHAPE
    if config.draws_from != "texts":
        return shape
    rows = training_set.draw(stream(0, "covariance"), _TEXTS)
    of_texts = covariance_shape(*principal_axes(torch.from_numpy(training_set.vectors[rows]).double()), config)
    return replace(shape, axes=of_texts.axes, deviations=of_texts.deviations)


def _read_gap(config: NoiseConfig, gap: Path | None, training_set: TrainingSet) -> tuple[ImageTextGap, str]:
    """The gap's document, and its digest."""
    if gap is None:
        raise NounflowError(
            f"The noise ({config.described}) needs the measured gap between images and texts",
            fix="make it with measure_gap.py and name it with --gap",
        )
    document = read_document(ImageTextGap, gap, "gap document")
    manifest = training_set.manifest
    for name, there, here in (
        ("embedder", document.embedder.digest, manifest.embedder.digest),
        ("training set", document.training_set, manifest.index_sha256),
        ("image set", document.image_set, config.images),
    ):
        if there != here:
            raise MismatchError(
                f"The gap was measured on another {name}: {there}, the run asks for {here}",
                where=gap,
                fix=f"delete {gap} and run again",
            )
    return document, sha256_file(gap)


def shape_of(config: NoiseConfig, gap: ImageTextGap, source: str) -> NoiseShape:
    """What a noise takes of a measured gap; `source` is the document's digest."""
    covariance = NO_SHAPE
    if config.draws_from == "residuals":
        covariance = covariance_shape(torch.tensor(gap.axes), torch.tensor(gap.variances), config)
    shift = torch.tensor(gap.shift)
    if config.shift == "means" and not gap.image_mean:
        raise MismatchError(
            "The gap was measured by an older version, which kept no means", fix="delete its file and run again"
        )
    text_shift = {"texts": shift, "means": -torch.tensor(gap.text_mean)}.get(config.shift)
    image_shift = {"images": shift, "means": torch.tensor(gap.image_mean)}.get(config.shift)
    return replace(
        covariance,
        angles=torch.tensor(gap.angles) if config.draws_from == "angles" else None,
        text_shift=text_shift,
        image_shift=image_shift,
        source=source,
    )


def covariance_shape(axes: torch.Tensor, variances: torch.Tensor, config: NoiseConfig) -> NoiseShape:
    """The covariance of a noise from measured principal axes [axes, dim] and variances [dim].

    The first `rank` axes are kept; what they leave of the variances is taken as independent.
    """
    kept = axes[: config.rank]
    left = (variances - kept.square().sum(0)).clamp(min=0)
    length = (kept.square().sum() + left.sum()).sqrt()
    return NoiseShape(axes=(kept / length).float(), deviations=(left.sqrt() / length).float())


def principal_axes(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of rows [n, dim]: principal axes [at most 64, dim], as long as their standard deviations, and variances [dim]."""
    centred = vectors - vectors.mean(0)
    _, singular, directions = torch.linalg.svd(centred / len(vectors) ** 0.5, full_matrices=False)
    return (singular[:, None] * directions)[:AXES], centred.square().mean(0)
