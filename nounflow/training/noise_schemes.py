"""The schemes of noise (NOVIC paper, section 3.2, and some that it lacks); `nounflow.config.noise` registers them.

Each takes unit rows [n, dim] (`Clean.embeddings`) and gives unit rows [n, dim]; angles are in degrees.
Rotations are towards a direction drawn uniformly in the tangent plane. e is the embedding, g standard normal.
"""

import math

import torch
import torch.nn.functional as F

from nounflow.errors import NounflowError
from nounflow.training.noise import Clean


def none(clean: Clean) -> torch.Tensor:
    """No noise."""
    return clean.embeddings.clone()


def gauss_elem(clean: Clean) -> torch.Tensor:
    """normalise(e + norm / sqrt(dim) * g)"""
    return _elementwise(clean, clean.normal())


def gauss_vec(clean: Clean) -> torch.Tensor:
    """normalise(e + norm * r * g / |g|), r ~ N(0, 1) for each row"""
    direction = F.normalize(clean.normal(), dim=-1)
    return F.normalize(clean.embeddings + clean.norm * clean.normal(1) * direction, dim=-1)


def gauss_angle(clean: Clean) -> torch.Tensor:
    """Rotate by r * angle_std degrees, clamped to +-angle_max."""
    gaussian, most = clean.normal(), clean.config.angle_max
    return _rotate(clean, gaussian, (clean.config.angle_std * clean.normal(1)).clamp(-most, most))


def uniform_angle(clean: Clean) -> torch.Tensor:
    """Rotate by a uniform angle in [angle_min, angle_max] degrees."""
    return _rotate_uniformly(clean, clean.normal())


def gauss_elem_uniform_angle(clean: Clean) -> torch.Tensor:
    """uniform_angle with probability mix_ratio, else gauss_elem."""
    gaussian = clean.normal()
    rotated = _rotate_uniformly(clean, gaussian)
    return torch.where(clean.uniform() < clean.config.mix_ratio, rotated, _elementwise(clean, gaussian))


def gap(clean: Clean) -> torch.Tensor:
    """Rotate by an angle drawn from the measured ones.

    Raises:
        NounflowError: nothing was measured.
    """
    if (quantiles := clean.shape.angles) is None:  # [q], evenly spaced shares
        raise _unmeasured(clean)
    gaussian, place = clean.normal(), clean.uniform() * (len(quantiles) - 1)
    below = place.floor().long().clamp(max=len(quantiles) - 2)  # [n, 1]
    return _rotate(clean, gaussian, torch.lerp(quantiles[below], quantiles[below + 1], place - below))


def covariance(clean: Clean) -> torch.Tensor:
    """normalise(e + norm * d), d normal with the measured covariance, scaled to E|d|^2 = 1

    Raises:
        NounflowError: nothing was measured.
    """
    axes, deviations = clean.shape.axes, clean.shape.deviations
    if axes is None or deviations is None:
        raise _unmeasured(clean)
    perturbation = clean.normal() * deviations + clean.normal(len(axes)) @ axes  # [n, rank] @ [rank, dim]
    return F.normalize(clean.embeddings + clean.norm * perturbation, dim=-1)


def _unmeasured(clean: Clean) -> NounflowError:
    return NounflowError(
        f"The noise ({clean.config.described}) draws from what was measured in a training set, and nothing was "
        "measured here",
        fix="take a scheme that norm or angles describe",
    )


def _elementwise(clean: Clean, gaussian: torch.Tensor) -> torch.Tensor:
    return F.normalize(clean.embeddings + clean.norm / math.sqrt(clean.embeddings.shape[-1]) * gaussian, dim=-1)


def _rotate_uniformly(clean: Clean, gaussian: torch.Tensor) -> torch.Tensor:
    least, most = clean.config.angle_min, clean.config.angle_max
    return _rotate(clean, gaussian, least + (most - least) * clean.uniform())


def _rotate(clean: Clean, gaussian: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """Rotate each row by its angle [n, 1] towards the tangent part of a Gaussian direction [n, dim]."""
    e = clean.embeddings
    tangent = F.normalize(gaussian - (e * gaussian).sum(-1, keepdim=True) * e, dim=-1)
    radians = torch.deg2rad(clean.scale * degrees)
    return F.normalize(torch.cos(radians) * e + torch.sin(radians) * tangent, dim=-1)
