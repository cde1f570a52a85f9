"""Noise on unit text embeddings in training: it makes a model rely on *which directions* carry the noun, not on
*where* an embedding lies, so that image embeddings can take the texts' place (NOVIC paper, section 3.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from nounflow.config.noise import SCHEMES, NoiseConfig
from nounflow.registry import resolve
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape


@dataclass(frozen=True)
class Draws:
    """Random numbers for the rows of a batch, in the dtype and on the device of its embeddings [n, dim]."""

    embeddings: torch.Tensor
    generator: torch.Generator

    def normal(self, columns: int) -> torch.Tensor:
        """Standard normal, [n, columns]."""
        like = self.embeddings
        return torch.randn(len(like), columns, generator=self.generator, device=like.device, dtype=like.dtype)

    def uniform(self) -> torch.Tensor:
        """Between 0 and 1, [n, 1]."""
        like = self.embeddings
        return torch.rand(len(like), 1, generator=self.generator, device=like.device, dtype=like.dtype)


class Scheme(Protocol):
    """What a noise scheme is; `nounflow.training.noise_schemes` has those there are."""

    def __call__(
        self, embeddings: torch.Tensor, config: NoiseConfig, draws: Draws, shape: NoiseShape, scale: float
    ) -> torch.Tensor:
        """Perturb unit rows [n, dim] and renormalise; `scale` multiplies norm and angles."""
        ...


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
    scheme: Scheme = resolve(SCHEMES[config.scheme].place)
    return scheme(embeddings, config, Draws(embeddings, generator), shape, scale)


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
