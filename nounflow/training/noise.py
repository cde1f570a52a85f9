"""Noise on unit text embeddings in training: it makes a model rely on *which directions* carry the noun, not on
*where* an embedding lies, so that image embeddings can take the texts' place (NOVIC paper, section 3.2).
"""

import math
from dataclasses import dataclass

import torch

from nounflow.config.noise import SCHEMES, NoiseConfig
from nounflow.registry import resolve
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape


@dataclass(frozen=True)
class Clean:
    """What a scheme (`nounflow.training.noise_schemes`) perturbs: unit rows [n, dim], and all that decides how."""

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
