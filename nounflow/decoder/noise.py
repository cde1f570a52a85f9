"""Noise on unit text embeddings in training: it makes the decoder rely on *which directions* carry the noun,
not on *where* an embedding lies, so that image embeddings can take the texts' place (NOVIC paper, section 3.2).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from nounflow.config.decoder import NoiseConfig


def apply_noise(embeddings: torch.Tensor, config: NoiseConfig, generator: torch.Generator) -> torch.Tensor:
    """Perturb unit rows and renormalise: [n, dim] -> [n, dim], a new tensor.

    With e the embedding and g standard normal:
      gauss_elem      normalise(e + norm / sqrt(dim) * g)
      gauss_vec       normalise(e + norm * r * g / |g|), r ~ N(0, 1) for each row
      gauss_angle     rotate by r * angle_std degrees, clamped to +-angle_max
      uniform_angle   rotate by a uniform angle in [angle_min, angle_max] degrees
      gauss_elem_uniform_angle   uniform_angle with probability mix_ratio, else gauss_elem
    Rotations are towards a direction drawn uniformly in the tangent plane.
    """
    if config.scheme == "none":
        return embeddings.clone()
    n, dim = embeddings.shape
    gaussian = torch.randn(n, dim, generator=generator, device=embeddings.device, dtype=embeddings.dtype)
    if config.scheme == "gauss_elem":
        return _gauss_elem(embeddings, gaussian, config.norm)
    if config.scheme == "gauss_vec":
        length = torch.randn(n, 1, generator=generator, device=embeddings.device, dtype=embeddings.dtype)
        return F.normalize(embeddings + config.norm * length * F.normalize(gaussian, dim=-1), dim=-1)
    if config.scheme == "gauss_angle":
        length = torch.randn(n, 1, generator=generator, device=embeddings.device, dtype=embeddings.dtype)
        angle = (config.angle_std * length).clamp(-config.angle_max, config.angle_max)
        return _rotate(embeddings, gaussian, angle)
    share = torch.rand(n, 1, generator=generator, device=embeddings.device, dtype=embeddings.dtype)
    rotated = _rotate(embeddings, gaussian, config.angle_min + (config.angle_max - config.angle_min) * share)
    if config.scheme == "uniform_angle":
        return rotated
    chosen = torch.rand(n, 1, generator=generator, device=embeddings.device) < config.mix_ratio
    return torch.where(chosen, rotated, _gauss_elem(embeddings, gaussian, config.norm))


def _gauss_elem(embeddings: torch.Tensor, gaussian: torch.Tensor, norm: float) -> torch.Tensor:
    return F.normalize(embeddings + norm / math.sqrt(embeddings.shape[-1]) * gaussian, dim=-1)


def _rotate(embeddings: torch.Tensor, gaussian: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """Rotate each row by its angle [n, 1] towards the tangent part of a Gaussian direction."""
    tangent = F.normalize(gaussian - (embeddings * gaussian).sum(-1, keepdim=True) * embeddings, dim=-1)
    radians = torch.deg2rad(degrees)
    return F.normalize(torch.cos(radians) * embeddings + torch.sin(radians) * tangent, dim=-1)
