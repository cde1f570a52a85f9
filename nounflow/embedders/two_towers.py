"""A CLIP-like model as an embedder, from parts that its library's module puts together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.protocol import TargetTokenizer
from nounflow.embedders.text_path import TextPath, TextSide
from nounflow.schemas.documents import EmbedderIdentity


@dataclass(frozen=True)
class Parts:
    """What a library gave: two towers, their preprocessing, and what tells them from others."""

    identity: EmbedderIdentity
    targets: TargetTokenizer
    texts: Callable[[], TextSide]
    preprocess: Callable[[Image.Image], np.ndarray]
    encode_images: Callable[[Tensor], Tensor]  # [batch, ...] as preprocessed -> features [batch, dim]


class TwoTowers:
    """See `Embedder`. The text path is made when the first texts come: naming images needs none."""

    def __init__(self, parts: Parts, options: ComputeOptions) -> None:
        self._parts, self._options = parts, options
        self.identity, self.dim, self.device = parts.identity, parts.identity.dim, options.device
        self.target_digest = parts.targets.target_digest
        self.target_tokens, self.target_decode = parts.targets.target_tokens, parts.targets.target_decode

    @functools.cached_property
    def _texts(self) -> TextPath:
        return TextPath(self._parts.texts(), self._options)

    @property
    def batch_tokens(self) -> int:
        """See `Embedder.batch_tokens`."""
        return self._texts.batch_tokens

    @batch_tokens.setter
    def batch_tokens(self, tokens: int) -> None:
        self._texts.batch_tokens = tokens

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """See `Embedder.encode_texts`."""
        return self._texts.encode(texts, progress)

    def golden_vectors(self) -> np.ndarray:
        """See `Embedder.golden_vectors`."""
        return self._texts.golden

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """See `Embedder.preprocess`."""
        return self._parts.preprocess(image)

    @torch.inference_mode()
    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_images`."""
        batch = torch.from_numpy(np.stack(images)).to(self.device)
        with self._options.autocast():
            features = self._parts.encode_images(batch)
        return F.normalize(features.float(), dim=-1).cpu().numpy()
