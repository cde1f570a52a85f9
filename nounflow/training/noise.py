"""Noise on unit text embeddings in training: it makes the decoder rely on *which directions* carry the noun,
not on *where* an embedding lies, so that image embeddings can take the texts' place (NOVIC paper, section 3.2).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from nounflow.config.decoder import NoiseConfig
from nounflow.errors import NounflowError
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape


def apply_noise(
    embeddings: torch.Tensor,
    config: NoiseConfig,
    generator: torch.Generator,
    shape: NoiseShape = NO_SHAPE,
    scale: float = 1.0,
) -> torch.Tensor:
    """Perturb unit rows and renormalise: [n, dim] -> [n, dim], a new tensor.

    With e the embedding and g standard normal:
      gauss_elem      normalise(e + norm / sqrt(dim) * g)
      gauss_vec       normalise(e + norm * r * g / |g|), r ~ N(0, 1) for each row
      gauss_angle     rotate by r * angle_std degrees, clamped to +-angle_max
      uniform_angle   rotate by a uniform angle in [angle_min, angle_max] degrees
      gauss_elem_uniform_angle   uniform_angle with probability mix_ratio, else gauss_elem
      gap             rotate by an angle drawn from the measured ones
      covariance      normalise(e + norm * d), d normal with the measured covariance, scaled to E|d|^2 = 1
    Rotations are towards a direction drawn uniformly in the tangent plane.

    Args:
        shape: what was measured, on the device of the embeddings.
        scale: multiplies norm and angles.

    Raises:
        NounflowError: the scheme draws from measurements, and `shape` has none.
    """
    if config.scheme == "none":
        return embeddings.clone()
    n, dim = embeddings.shape
    norm = scale * config.norm

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator, device=embeddings.device, dtype=embeddings.dtype)

    def uniform() -> torch.Tensor:
        return torch.rand(n, 1, generator=generator, device=embeddings.device, dtype=embeddings.dtype)

    gaussian = normal(n, dim)
    if config.scheme == "gauss_elem":
        return _gauss_elem(embeddings, gaussian, norm)
    if config.scheme == "gauss_vec":
        return F.normalize(embeddings + norm * normal(n, 1) * F.normalize(gaussian, dim=-1), dim=-1)
    if config.scheme == "gauss_angle":
        angle = (config.angle_std * normal(n, 1)).clamp(-config.angle_max, config.angle_max)
        return _rotate(embeddings, gaussian, scale * angle)
    if config.scheme == "gap":
        if shape.angles is None:
            raise _unmeasured(config)
        return _rotate(embeddings, gaussian, scale * _quantile(shape.angles, uniform()))
    if config.scheme == "covariance":
        if shape.axes is None or shape.deviations is None:
            raise _unmeasured(config)
        perturbation = gaussian * shape.deviations + normal(n, len(shape.axes)) @ shape.axes
        return F.normalize(embeddings + norm * perturbation, dim=-1)
    angle = config.angle_min + (config.angle_max - config.angle_min) * uniform()
    rotated = _rotate(embeddings, gaussian, scale * angle)
    if config.scheme == "uniform_angle":
        return rotated
    chosen = torch.rand(n, 1, generator=generator, device=embeddings.device) < config.mix_ratio
    return torch.where(chosen, rotated, _gauss_elem(embeddings, gaussian, norm))


def noise_scale(config: NoiseConfig, progress: float) -> float:
    """Scale of the noise when a share `progress`, from 0 to 1, of the training's steps is done."""
    if config.schedule == "constant":
        return 1.0
    share = progress
    if config.schedule == "cosine":
        share = (1 - math.cos(math.pi * progress)) / 2
    elif config.schedule == "warmup":
        share = min(1.0, progress / config.schedule_rise)
    return config.schedule_start + (config.schedule_end - config.schedule_start) * share


def _unmeasured(config: NoiseConfig) -> NounflowError:
    return NounflowError(
        f"The noise ({config.described}) draws from what was measured in a training set, and nothing was measured here",
        fix="take a scheme that norm or angles describe",
    )


def _quantile(quantiles: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Values at shares [n, 1] of evenly spaced quantiles [q], linear between them."""
    place = share * (len(quantiles) - 1)
    below = place.floor().long().clamp(max=len(quantiles) - 2)
    return torch.lerp(quantiles[below], quantiles[below + 1], place - below)


def _gauss_elem(embeddings: torch.Tensor, gaussian: torch.Tensor, norm: float) -> torch.Tensor:
    return F.normalize(embeddings + norm / math.sqrt(embeddings.shape[-1]) * gaussian, dim=-1)


def _rotate(embeddings: torch.Tensor, gaussian: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """Rotate each row by its angle [n, 1] towards the tangent part of a Gaussian direction."""
    tangent = F.normalize(gaussian - (embeddings * gaussian).sum(-1, keepdim=True) * embeddings, dim=-1)
    radians = torch.deg2rad(degrees)
    return F.normalize(torch.cos(radians) * embeddings + torch.sin(radians) * tangent, dim=-1)
