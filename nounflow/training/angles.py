"""How far noise moves embeddings, beside how far captions lie apart: the picture behind the choice of noise."""

import numpy as np
import torch

from nounflow.config.noise import NoiseConfig
from nounflow.schemas.models import Angles
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream
from nounflow.training.batches import torch_seed
from nounflow.training.noise import apply_noise, noise_scale
from nounflow.training.noise_shape import NoiseShape

_BINS_DEG = np.arange(0, 121, 2)
_PAIRS = 4000


def angle_histograms(training_set: TrainingSet, noise: NoiseConfig, shape: NoiseShape, seed: int) -> Angles:
    """Counts over 2-degree bins of three angles: text to its noisy self, two texts of one noun, of two nouns.

    The noise is that of the last step.
    """
    generator = stream(seed, "angles")
    single = np.flatnonzero(np.diff(training_set.offsets) == 1)
    rows = generator.choice(single, size=min(_PAIRS, len(single)), replace=False)
    texts = torch.from_numpy(training_set.vectors[rows].astype(np.float32))
    own = torch.Generator().manual_seed(torch_seed(seed, "angles"))
    noisy = apply_noise(shape.shifted(texts), noise, own, shape, noise_scale(noise, 1.0))
    labels = training_set.targets[training_set.offsets[single]]
    order = single[np.argsort(labels, kind="stable")]
    sorted_labels = np.sort(labels, kind="stable")
    same = np.flatnonzero(sorted_labels[1:] == sorted_labels[:-1])
    same = generator.choice(same, size=min(_PAIRS, len(same)), replace=False)
    other = generator.permutation(rows)
    apart = training_set.targets[training_set.offsets[rows]] != training_set.targets[training_set.offsets[other]]
    return Angles(
        bins_deg=tuple(_BINS_DEG.tolist()),
        noise=_histogram(texts.numpy(), noisy.numpy()),
        same_noun=_histogram(training_set.vectors[order[same]], training_set.vectors[order[same + 1]]),
        different_noun=_histogram(training_set.vectors[rows[apart]], training_set.vectors[other[apart]]),
    )


def _histogram(first: np.ndarray, second: np.ndarray) -> tuple[int, ...]:
    """Counts of the angles between parallel unit rows."""
    cosines = (first.astype(np.float64) * second.astype(np.float64)).sum(1)
    degrees = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    return tuple(np.histogram(degrees, bins=_BINS_DEG)[0].tolist())
