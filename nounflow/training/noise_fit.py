"""Is a noise as large as the gap that it should bridge? Said before training, in one line; it shapes no result."""

import numpy as np
import torch

from nounflow.config.auto import settled_noise, why_noise
from nounflow.config.modality_gaps import known_gap
from nounflow.config.noise import NoiseConfig
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream
from nounflow.training.batches import torch_seed
from nounflow.training.noise import apply_noise, noise_scale
from nounflow.training.noise_shape import NoiseShape

_TEXTS = 1000
_FAR = 15.0  # degrees: published decoders lose 3 points at 17 degrees from the gap, 9 at 25, 59 at 40
_CONTRASTIVE = 70.0, 85.0  # where images of such towers lie from their own texts (published)


def tell_noise(noise: NoiseConfig, spec: str) -> None:
    """Print which noise there is and why."""
    print(f"noise: {noise.described} ({why_noise(noise, spec)})", flush=True)


def noise_warning(noise: NoiseConfig, texts: TrainingSet, shape: NoiseShape) -> str | None:
    """A line where noise moves texts much less or more than images of the embedder lie from their texts."""
    spec = texts.manifest.embedder.spec
    low, high, gap = _gap(spec)
    if noise.draws_from == "angles" or low - _FAR <= (angle := noise_angle(noise, texts, shape)) <= high + _FAR:
        return None
    return (
        f"warning: this noise turns a text by {angle:.0f} degrees, and images of {spec} lie {gap} from their texts; "
        f"auto would be {settled_noise(NoiseConfig(), spec).described}"
    )


def noise_angle(noise: NoiseConfig, texts: TrainingSet, shape: NoiseShape) -> float:
    """Mean angle in degrees between 1,000 texts and what the noise of the last step makes of them."""
    rows = texts.draw(stream(0, "noise angle"), _TEXTS)
    clean = shape.shifted(torch.from_numpy(texts.vectors[rows].astype(np.float32)))
    generator = torch.Generator().manual_seed(torch_seed(0, "noise angle"))
    noisy = apply_noise(clean, noise, generator, shape, noise_scale(noise, 1.0))
    cosines = (clean.double() * noisy.double()).sum(1).clamp(-1, 1)
    return float(torch.rad2deg(torch.arccos(cosines)).mean())


def _gap(spec: str) -> tuple[float, float, str]:
    """Least and greatest angle that a gap is taken to have, and the same in words."""
    if (known := known_gap(spec)) is None:
        low, high = _CONTRASTIVE
        return low, high, f"{low:.0f} to {high:.0f} degrees (published, of towers of this kind)"
    spread = max(0.0, known.matched_std - _FAR)  # few are as near as their mean where angles differ much
    words = f"{known.matched:.0f} +- {known.matched_std:.0f} degrees ({known.source})"
    return known.matched - spread, known.matched + spread, words
