"""Held-out texts as a predictor will meet images: one noun each, noisy. What is fitted is fitted to them alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nounflow.config.auto import settled_noise
from nounflow.config.noise import NoiseConfig
from nounflow.errors import NounflowError
from nounflow.store.training_set import TrainingSet
from nounflow.training.batches import spaced, torch_seed
from nounflow.training.noise import apply_noise, noise_scale
from nounflow.training.noise_shape import load_noise_shape

_LEAST = 5


@dataclass(frozen=True)
class HeldOut:
    """Noisy embeddings of held-out texts, and the noun of each."""

    embeddings: np.ndarray  # float32 [n, dim]
    nouns: np.ndarray  # int64 [n]


def held_out(training_set: TrainingSet, noise: NoiseConfig, seed: int, most: int) -> HeldOut:
    """At most `most` held-out texts that name one noun, evenly spaced, so that every source is among them.

    Raises:
        NounflowError: too few texts are held out.
    """
    rows = np.flatnonzero(training_set.heldout & (np.diff(training_set.offsets) == 1))
    if len(rows) < _LEAST:
        raise NounflowError(
            f"Probabilities are fitted to held-out texts that name one noun, and there are {len(rows)}",
            fix="raise `heldout` of the mixture (or, for retrieval, give it a `temperature`)",
        )
    rows = spaced(rows, most)
    generator = torch.Generator().manual_seed(torch_seed(seed, "held-out noise"))
    shape = load_noise_shape(noise, None, training_set)
    clean = torch.from_numpy(training_set.vectors[rows]).float()
    embeddings = apply_noise(clean, noise, generator, shape, noise_scale(noise, 1.0))  # as at the last step
    return HeldOut(embeddings.numpy(), training_set.targets[training_set.offsets[rows]].astype(np.int64))


def plain_noise(settings: dict[str, Any] | None, spec: str) -> NoiseConfig:
    """A run's noise, or what suits its embedder where that was measured on images, which are not at hand here."""
    found = NoiseConfig.model_validate(settings or {})
    return settled_noise(NoiseConfig(), spec) if settings is None or found.needs_images else found
