"""Predictors that move each image to where the texts of their training lie, and answer for it there."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.predictors.protocol import Answers, Predictor

SHARPNESS = 100.0  # of the softmax over cosines (DeCap, ICLR 2023)
_BLOCK = 256


class MovedPredictor(Predictor):
    """Answers of another predictor for images that `_moved` has moved."""

    def __init__(self, predictor: Predictor) -> None:
        self.manifest, self._predictor = predictor.manifest, predictor

    @property
    def width(self) -> int:
        return self._predictor.width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        return self._predictor.answer(self._moved(embeddings), top_k)

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        return self._predictor.log_probabilities(self._moved(embeddings), nouns)

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        guided = copy.copy(self)
        guided._predictor, left_out = self._predictor.guided_by(nouns)
        return guided, left_out

    def _moved(self, embeddings: np.ndarray) -> np.ndarray:
        """Unit vectors [n, dim] of images [n, dim]."""
        raise NotImplementedError


class ShiftedPredictor(MovedPredictor):
    """For texts whose images' mean shift is taken off the images."""

    def __init__(self, predictor: Predictor, shift: np.ndarray) -> None:
        """
        Args:
            shift: float32 [dim], mean image - mean text.
        """
        super().__init__(predictor)
        self._shift = shift

    def _moved(self, embeddings: np.ndarray) -> np.ndarray:
        moved: np.ndarray = embeddings.astype(np.float32) - self._shift
        moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        return moved


class ProjectedPredictor(MovedPredictor):
    """For images projected onto a memory of texts: unit(softmax(100 f M^T) M), the projection of DeCap."""

    def __init__(self, predictor: Predictor, memory: torch.Tensor) -> None:
        """
        Args:
            memory: [texts, dim], unit rows, float16 or float32.
        """
        super().__init__(predictor)
        self._memory = memory.float()

    @torch.inference_mode()
    def _moved(self, embeddings: np.ndarray) -> np.ndarray:
        parts = []
        for block in torch.from_numpy(embeddings.astype(np.float32)).split(_BLOCK):
            shares = F.softmax(SHARPNESS * F.normalize(block, dim=-1) @ self._memory.T, dim=-1)
            parts.append(F.normalize(shares @ self._memory, dim=-1))
        return torch.cat(parts).numpy() if parts else embeddings
