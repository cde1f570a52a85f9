"""An embedder of any family, from the parts that the family's module puts together."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nounflow.embedders.protocol import Patches
from nounflow.embedders.text_encoder import TextEncoder
from nounflow.embedders.tokenizer import TargetTokenizer
from nounflow.schemas.embeddings import EmbedderIdentity


@dataclass
class TwoTowers:
    """See `Embedder`."""

    identity: EmbedderIdentity
    device: str
    tokenizer: TargetTokenizer
    load_texts: Callable[[], TextEncoder]  # called when the first texts come: naming images needs none
    preprocess: Callable[[Image.Image], np.ndarray]
    image_features: Callable[[Tensor], Tensor] | None
    """[batch, ...] as preprocessed -> features [batch, dim] of any length; None where no images were asked for."""
    patches: Patches | None = None
    patch_features: Callable[[Tensor], Tensor] | None = None
    """[batch, ...] as preprocessed -> features of its patches [batch, patches, dim] of any length, where they exist."""

    def __post_init__(self) -> None:
        self.dim = self.identity.dim
        self.target_digest = self.tokenizer.target_digest
        self.target_tokens, self.target_decode = self.tokenizer.target_tokens, self.tokenizer.target_decode

    @functools.cached_property
    def texts(self) -> TextEncoder:
        """The text tower."""
        return self.load_texts()

    @property
    def open_texts(self) -> TextEncoder | None:
        """See `Embedder.open_texts`."""
        return self.texts if self.texts.tower else None

    @property
    def batch_tokens(self) -> int:
        """See `Embedder.batch_tokens`."""
        return self.texts.batch_tokens

    @batch_tokens.setter
    def batch_tokens(self, tokens: int) -> None:
        self.texts.wanted_batch_tokens = tokens

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """See `Embedder.encode_texts`."""
        return self.texts.encode(texts, progress)

    def golden_vectors(self) -> np.ndarray:
        """See `Embedder.golden_vectors`."""
        return self.texts.golden

    @torch.inference_mode()
    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_images`."""
        assert self.image_features is not None, "loaded without images"
        batch = torch.from_numpy(np.stack(images)).to(self.device)
        return F.normalize(self.image_features(batch).float(), dim=-1).cpu().numpy()

    @torch.inference_mode()
    def encode_patches(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_patches`."""
        assert self.patch_features is not None, "no patch tokens"
        batch = torch.from_numpy(np.stack(images)).to(self.device)
        return F.normalize(self.patch_features(batch).float(), dim=-1).cpu().numpy()
