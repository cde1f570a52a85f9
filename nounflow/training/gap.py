"""The gap between an embedder's images and texts, measured without labels: an image's own text is taken to be the
training text that lies nearest to it.
"""

import numpy as np
import torch

from nounflow.schemas.embeddings import EmbedderIdentity, ImageTextGap
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream
from nounflow.training.noise_shape import principal_axes

_QUANTILES = 101
_IMAGES, _TEXTS = 10_000, 1_000_000  # more are drawn from
_BLOCK = 8192  # texts compared at once
_DIGITS = 8  # written


def measure_gap(
    training_set: TrainingSet, images: np.ndarray, image_set: str, embedder: EmbedderIdentity, index_sha256: str
) -> ImageTextGap:
    """Images [n, dim], unit rows, n > 1, against the nearest texts of the training split."""
    images = _drawn(np.asarray(images, dtype=np.float32), _IMAGES, "images")
    rows = _drawn(np.flatnonzero(training_set.weights > 0), _TEXTS, "texts")
    pictures = torch.from_numpy(images)
    nearest = nearest_rows(training_set, rows, pictures)
    texts = torch.from_numpy(training_set.vectors[nearest].astype(np.float32))
    cosines = (pictures.double() * texts.double()).sum(1).clamp(-1, 1)
    degrees = torch.rad2deg(torch.arccos(cosines)).numpy()
    residuals = pictures.double() - texts.double()
    shift = residuals.mean(0)
    axes, variances = principal_axes(residuals)
    return ImageTextGap(
        embedder=embedder,
        training_set=index_sha256,
        image_set=image_set,
        images=len(images),
        texts=len(rows),
        angles=_written(np.quantile(degrees, np.linspace(0, 1, _QUANTILES))),
        angle_mean=float(degrees.mean()),
        angle_std=float(degrees.std()),
        shift=_written(shift),
        shift_norm=float(shift.norm()),
        image_mean=_written(pictures.double().mean(0)),
        text_mean=_written(_mean(training_set, rows)),
        residual_norm=float(variances.sum().sqrt()),
        axes=tuple(_written(axis) for axis in axes),
        variances=_written(variances),
    )


def nearest_rows(training_set: TrainingSet, rows: np.ndarray, images: torch.Tensor) -> np.ndarray:
    """Of some rows of a training set the one nearest to each image [n, dim], by cosine; the first of equal ones."""
    best = torch.full((len(images),), -torch.inf)
    found = torch.zeros(len(images), dtype=torch.int64)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        cosines, place = (images @ torch.from_numpy(training_set.vectors[block].astype(np.float32)).T).max(1)
        nearer = cosines > best
        best = torch.where(nearer, cosines, best)
        found = torch.where(nearer, torch.from_numpy(block)[place], found)
    return found.numpy()


def _mean(training_set: TrainingSet, rows: np.ndarray) -> torch.Tensor:
    """Mean vector of some rows, float64 [dim]."""
    blocks = [training_set.vectors[rows[start : start + _BLOCK]] for start in range(0, len(rows), _BLOCK)]
    return torch.from_numpy(sum(block.astype(np.float64).sum(0) for block in blocks) / len(rows))


def _drawn(values: np.ndarray, most: int, name: str) -> np.ndarray:
    if len(values) <= most:
        return values
    return values[np.sort(stream(0, "gap", name).choice(len(values), size=most, replace=False))]


def _written(values: np.ndarray | torch.Tensor) -> tuple[float, ...]:
    return tuple(round(value, _DIGITS) for value in values.tolist())
