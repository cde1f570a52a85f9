"""What an embedder is to the rest of the project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from nounflow.embedders.tokenizer import TargetTokenizer
from nounflow.schemas.embeddings import EmbedderIdentity

if TYPE_CHECKING:
    from nounflow.embedders.text_encoder import TextEncoder


@dataclass(frozen=True)
class Patches:
    """Of a tower whose patch tokens lie in the space of its texts: how they stand in an image."""

    grid: tuple[int, int]  # rows, columns
    seen: Callable[[int, int], tuple[float, float, float, float]]  # width, height -> the box that `preprocess` keeps


class Embedder(TargetTokenizer, Protocol):
    """A frozen model that puts texts and images into one space, as unit vectors."""

    identity: EmbedderIdentity
    dim: int
    device: str  # cpu or cuda
    patches: Patches | None  # None: patch tokens do not lie in the space of the texts
    batch_tokens: int  # tokens in one batch of texts; may be set before the first texts are embedded

    @property
    def open_texts(self) -> TextEncoder | None:
        """Its text tower, where gradients can pass through it (`TextEncoder.tower` is there)."""
        ...

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """The texts' unit vectors, float32 [len(texts), dim], in the order of the texts.

        A text gets the same vector whichever other texts are embedded with it.
        """
        ...

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """One RGB image as the image tower wants it: resized, and an array of the same shape for all images.

        For example float32 [3, side, side]. It is called in several threads at once.
        """
        ...

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The unit vectors of preprocessed images, float32 [len(images), dim], in their order."""
        ...

    def encode_patches(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The unit vectors of the patches of preprocessed images, float32 [len(images), patches, dim], row by row."""
        ...

    def golden_vectors(self) -> np.ndarray:
        """The vectors that the golden texts (`embedders.golden`) should get, float32 [golden texts, dim].

        They come from the plain path: the library's own tower, in fp32.
        """
        ...
