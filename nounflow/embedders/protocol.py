"""What an embedder is to the rest of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from nounflow.embedders.tokenizer import TargetTokenizer
from nounflow.schemas.documents import EmbedderIdentity


class Embedder(TargetTokenizer, Protocol):
    """A frozen model that puts texts and images into one space, as unit vectors."""

    identity: EmbedderIdentity
    dim: int
    device: str  # cpu or cuda
    batch_tokens: int  # tokens in one batch of texts; may be set before the first texts are embedded

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """float32 [len(texts), dim], unit rows in the texts' order. A text's vector does not depend on the others."""
        ...

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """What the image tower takes of one RGB image, as small as it needs it; called in threads."""
        ...

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [len(images), dim], unit rows in the order of the preprocessed images."""
        ...

    def golden_vectors(self) -> np.ndarray:
        """float32 [golden texts, dim]: what the golden texts (`embedders.golden`) get on the plain fp32 path."""
        ...
