"""Noise on unit text embeddings in training: it makes a model rely on *which directions* carry the noun, not on
*where* an embedding lies, so that image embeddings can take the texts' place (NOVIC paper, section 3.2).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nounflow.config.noise import SCHEMES, NoiseConfig
from nounflow.errors import NounflowError
from nounflow.registry import resolve
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape


@dataclass(frozen=True)
class Clean:
    """What a scheme perturbs: unit rows [n, dim], and all that decides how."""

    embeddings: torch.Tensor
    config: NoiseConfig
    generator: torch.Generator
    shape: NoiseShape
    scale: float  # of norm and angles

    @property
    def norm(self) -> float:
        """Expected norm of Gaussian noise."""
        return self.scale * self.config.norm

    def normal(self, columns: int | None = None) -> torch.Tensor:
        """Standard normal numbers, [n, columns]; as many columns as the embeddings have unless said."""
        rows = self.embeddings
        size = (len(rows), rows.shape[1] if columns is None else columns)
        return torch.randn(*size, generator=self.generator, device=rows.device, dtype=rows.dtype)

    def uniform(self) -> torch.Tensor:
        """Numbers between 0 and 1, [n, 1]."""
        rows = self.embeddings
        return torch.rand(len(rows), 1, generator=self.generator, device=rows.device, dtype=rows.dtype)


def apply_noise(
    embeddings: torch.Tensor,
    config: NoiseConfig,
    generator: torch.Generator,
    shape: NoiseShape = NO_SHAPE,
    scale: float = 1.0,
) -> torch.Tensor:
    """Perturb unit rows and renormalise: [n, dim] -> [n, dim], a new tensor.

    Args:
        shape: what was measured, on the device of the embeddings.
        scale: multiplies norm and angles.

    Raises:
        NounflowError: the scheme draws from measurements, and `shape` has none.
    """
    noised: torch.Tensor = resolve(SCHEMES[config.scheme].place)(Clean(embeddings, config, generator, shape, scale))
    return noised


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


# The schemes, registered in `nounflow.config.noise`. Each takes unit rows [n, dim] (`Clean.embeddings`) and gives unit
# rows [n, dim]; angles are in degrees. Rotations are towards a direction drawn uniformly in the tangent plane. In the
# formulas e is the embedding, g standard normal.


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
