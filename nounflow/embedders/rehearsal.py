"""A rehearsal, and no CLIP: the bundled towers with a modality gap made to measure.

What the bundled towers know of a text or an image stays as it is in the first 384 dimensions, only shorter. In the
others stand an offset of each modality and a residual that depends on the text or the image alone, so a text's vector
is the same wherever it is embedded. The lengths are solved for, so that the mean angles between an image and its own
class, and between an image and any class, are those published for a real model (nounflow/config/modality_gaps.tsv),
and the mean shift is near it. The spread of the angles is not: it is that of the bundled image tower, which knows a
picture's class or does not.

    text = a t + b o + c r(text)      image = a v + b p + c r(image)      a^2 + b^2 + c^2 = 1,  o . p = cosine
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from nounflow.config.modality_gaps import REHEARSAL, GapStatistics, gap_statistics
from nounflow.embedders import bundled
from nounflow.embedders.golden import GOLDEN_TEXTS
from nounflow.embedders.identity import make_identity
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.two_towers import TwoTowers
from nounflow.files import sha256_text
from nounflow.streams import stream

# Of the bundled towers on the 323 default photographs and their 261 nouns, a noun the mean of every fifth of ImageNet's
# 80 prompts (benchmarks/rehearsal_angles.py). Cosines and inner products.
_ALIKE = 0.7274  # two prompts of one noun
_OWN, _OWN_STD = 0.6462, 0.2123  # an image and its own noun
_ANY, _ANY_STD = 0.3650, 0.1036  # an image and any noun
_MEAN_IMAGE, _MEAN_TEXT, _MEANS = 0.3979, 0.3999, 0.3664  # the mean vectors with themselves, and with each other
_PROMPTS = 80  # of the published statistics
_LEAST_RESIDUAL = 0.01  # of a squared length


class Lengths(NamedTuple):
    """Squared lengths of a vector's parts, and the cosine of the two offsets."""

    semantic: float
    offset: float
    cosine: float

    @property
    def residual(self) -> float:
        """What is left of 1."""
        return 1 - self.semantic - self.offset


def solved(gap: GapStatistics, prompts: int = _PROMPTS) -> Lengths:
    """The lengths under which the mean angles of a statistic come out, by fixed-point iteration from closed forms.

    `prompts`: whose mean, at unit length, is a text.
    """
    cohesion = _ALIKE + (1 - _ALIKE) / prompts  # squared length of a mean of prompts' semantic parts
    semantic, offset, product, length = 0.5, 0.2, 0.0, 1.0  # product: of the offsets; length: of a mean of prompts
    for _step in range(200):
        stretch = semantic * math.sqrt(cohesion) / length
        own = _cosine(gap.matched, stretch * _OWN_STD)
        away = _cosine(gap.all, stretch * _ANY_STD)
        semantic = (own - away) * length / (math.sqrt(cohesion) * (_OWN - _ANY))
        product = away * length - semantic * math.sqrt(cohesion) * _ANY
        shrunk = math.sqrt(cohesion) / length
        shift = semantic * (_MEAN_IMAGE - 2 * shrunk * _MEANS + shrunk**2 * _MEAN_TEXT)
        offset = (gap.shift**2 - shift + 2 * product / length) / (1 + 1 / length**2)
        offset = min(max(offset, abs(product)), 1 - semantic - _LEAST_RESIDUAL)
        length = math.sqrt(semantic * cohesion + offset + (1 - semantic - offset) / prompts)
    return Lengths(semantic, offset, max(-1.0, min(1.0, product / offset)))


def _cosine(degrees: float, spread: float) -> float:
    """The mean cosine of angles with this mean, for cosines that spread so (to second order)."""
    angle = math.radians(degrees)
    cosine = math.cos(angle)
    return math.cos(angle + cosine * spread**2 / (2 * (1 - cosine**2) ** 1.5))


@dataclass(kw_only=True)
class Rehearsal(TwoTowers):
    """The bundled towers, to whose vectors the gap is added."""

    lengths: Lengths

    @property
    def open_texts(self) -> None:
        """See `Embedder.open_texts`: what is added to a text depends on its letters."""

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """See `Embedder.encode_texts`."""
        return self.text_vectors(texts, super().encode_texts(texts, progress))

    def golden_vectors(self) -> np.ndarray:
        """See `Embedder.golden_vectors`."""
        return self.text_vectors(GOLDEN_TEXTS, super().golden_vectors())

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_images`."""
        return self.image_vectors([image.tobytes() for image in images], super().encode_images(images))

    def text_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """Vectors of the bundled tower [n, 384] with the gap: float32 [n, dim]."""
        return self._with_gap(vectors, (1.0, 0.0), [f"text {text}" for text in texts])

    def image_vectors(self, pixels: Sequence[bytes], vectors: np.ndarray) -> np.ndarray:
        """The same of images; their bytes tell one from another."""
        cosine = self.lengths.cosine
        keys = [f"image {hashlib.sha256(image).hexdigest()}" for image in pixels]
        return self._with_gap(vectors, (cosine, math.sqrt(1 - cosine**2)), keys)

    def _with_gap(self, vectors: np.ndarray, direction: tuple[float, float], keys: Sequence[str]) -> np.ndarray:
        """Semantic part, then the offset in two dimensions, then the residual in all others."""
        inner = vectors.shape[1]
        found = np.empty((len(vectors), self.dim), dtype=np.float32)
        found[:, :inner] = math.sqrt(self.lengths.semantic) * vectors
        found[:, inner : inner + 2] = math.sqrt(self.lengths.offset) * np.array(direction)
        for row, key in enumerate(keys):
            drawn = stream(0, REHEARSAL, key).standard_normal(self.dim - inner - 2)
            found[row, inner + 2 :] = math.sqrt(self.lengths.residual) / np.linalg.norm(drawn) * drawn
        return found


def load(model: str, options: ComputeOptions, images: bool) -> Rehearsal:
    """The bundled towers with the gap of one row of the table.

    Raises:
        NounflowError: the bundled towers' packages are not installed, or damaged.
    """
    return rehearsed(bundled.load("minilm-conse", options, images), gap_statistics()[model])


def rehearsed(towers: TwoTowers, gap: GapStatistics) -> Rehearsal:
    """The bundled towers with a gap."""
    lengths, own = solved(gap), towers.identity
    identity = make_identity(
        spec=f"{REHEARSAL}:{gap.name}",
        dim=gap.dim,
        weights=sha256_text(own.weights, *(f"{part:.9f}" for part in lengths)),
        tokenizer=own.tokenizer,
        preprocessing=f"a rehearsal, no CLIP: {bundled.SPEC} with angles of {gap.spec}. {own.preprocessing}",
        precision=own.precision,
        libraries=tuple(own.versions),
    )
    parts = {field.name: getattr(towers, field.name) for field in fields(towers)}
    return Rehearsal(**{**parts, "identity": identity}, lengths=lengths)
