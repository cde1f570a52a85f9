"""The schemes of noise, each a function of unit embeddings [n, dim] (NOVIC paper, section 3.2, and some that it lacks).

With e the embedding and g standard normal:
  gauss_elem      normalise(e + norm / sqrt(dim) * g)
  gauss_vec       normalise(e + norm * r * g / |g|), r ~ N(0, 1) for each row
  gauss_angle     rotate by r * angle_std degrees, clamped to +-angle_max
  uniform_angle   rotate by a uniform angle in [angle_min, angle_max] degrees
  gauss_elem_uniform_angle   uniform_angle with probability mix_ratio, else gauss_elem
  gap             rotate by an angle drawn from the measured ones
  covariance      normalise(e + norm * d), d normal with the measured covariance, scaled to E|d|^2 = 1
Rotations are towards a direction drawn uniformly in the tangent plane. `nounflow.config.noise` registers them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from nounflow.config.noise import NoiseConfig
from nounflow.errors import NounflowError
from nounflow.training.noise import Draws
from nounflow.training.noise_shape import NoiseShape


def none(
    embeddings: torch.Tensor, _config: NoiseConfig, _draws: Draws, _shape: NoiseShape, _scale: float
) -> torch.Tensor:
    """No noise."""
    return embeddings.clone()


def gauss_elem(
    embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, _shape: NoiseShape, scale: float
) -> torch.Tensor:
    """Independent Gaussian noise on each element."""
    return _elementwise(embeddings, draws.normal(embeddings.shape[-1]), scale * config.norm)


def gauss_vec(
    embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, _shape: NoiseShape, scale: float
) -> torch.Tensor:
    """A step of Gaussian length in a uniform direction."""
    direction = F.normalize(draws.normal(embeddings.shape[-1]), dim=-1)
    return F.normalize(embeddings + scale * config.norm * draws.normal(1) * direction, dim=-1)


def gauss_angle(
    embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, _shape: NoiseShape, scale: float
) -> torch.Tensor:
    """A rotation by a Gaussian angle."""
    gaussian = draws.normal(embeddings.shape[-1])
    angle = (config.angle_std * draws.normal(1)).clamp(-config.angle_max, config.angle_max)
    return _rotate(embeddings, gaussian, scale * angle)


def uniform_angle(
    embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, _shape: NoiseShape, scale: float
) -> torch.Tensor:
    """A rotation by a uniform angle."""
    return _rotate_uniformly(embeddings, draws.normal(embeddings.shape[-1]), config, draws, scale)


def gauss_elem_uniform_angle(
    embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, _shape: NoiseShape, scale: float
) -> torch.Tensor:
    """Some rows rotated, the others with noise on each element."""
    gaussian = draws.normal(embeddings.shape[-1])
    rotated = _rotate_uniformly(embeddings, gaussian, config, draws, scale)
    chosen = draws.uniform() < config.mix_ratio  # [n, 1]
    return torch.where(chosen, rotated, _elementwise(embeddings, gaussian, scale * config.norm))


def gap(embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, shape: NoiseShape, scale: float) -> torch.Tensor:
    """A rotation by a measured angle.

    Raises:
        NounflowError: nothing was measured.
    """
    if shape.angles is None:
        raise _unmeasured(config)
    gaussian = draws.normal(embeddings.shape[-1])
    return _rotate(embeddings, gaussian, scale * _quantile(shape.angles, draws.uniform()))


def covariance(
    embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, shape: NoiseShape, scale: float
) -> torch.Tensor:
    """Gaussian noise with a measured covariance.

    Raises:
        NounflowError: nothing was measured.
    """
    if shape.axes is None or shape.deviations is None:
        raise _unmeasured(config)
    independent = draws.normal(embeddings.shape[-1]) * shape.deviations
    perturbation = independent + draws.normal(len(shape.axes)) @ shape.axes  # [n, rank] @ [rank, dim]
    return F.normalize(embeddings + scale * config.norm * perturbation, dim=-1)


def _unmeasured(config: NoiseConfig) -> NounflowError:
    return NounflowError(
        f"The noise ({config.described}) draws from what was measured in a training set, and nothing was measured here",
        fix="take a scheme that norm or angles describe",
    )


def _elementwise(embeddings: torch.Tensor, gaussian: torch.Tensor, norm: float) -> torch.Tensor:
    return F.normalize(embeddings + norm / math.sqrt(embeddings.shape[-1]) * gaussian, dim=-1)


def _rotate_uniformly(
    embeddings: torch.Tensor, gaussian: torch.Tensor, config: NoiseConfig, draws: Draws, scale: float
) -> torch.Tensor:
    angle = config.angle_min + (config.angle_max - config.angle_min) * draws.uniform()
    return _rotate(embeddings, gaussian, scale * angle)


def _rotate(embeddings: torch.Tensor, gaussian: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """Rotate each row by its angle [n, 1] towards the tangent part of a Gaussian direction."""
    tangent = F.normalize(gaussian - (embeddings * gaussian).sum(-1, keepdim=True) * embeddings, dim=-1)
    radians = torch.deg2rad(degrees)
    return F.normalize(torch.cos(radians) * embeddings + torch.sin(radians) * tangent, dim=-1)


def _quantile(quantiles: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Values at shares [n, 1] of evenly spaced quantiles [q], linear between them."""
    place = share * (len(quantiles) - 1)
    below = place.floor().long().clamp(max=len(quantiles) - 2)
    return torch.lerp(quantiles[below], quantiles[below + 1], place - below)
