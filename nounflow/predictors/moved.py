"""Predictors that move each image to where the texts of their training lie, and answer for it there."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.predictors.protocol import Answers, Predictor

SHARPNESS = 100.0  # of the softmax over cosines (DeCap, ICLR 2023)
_BLOCK = 256


class MovedPredictor(Predictor):
    """Answers of another predictor for images [n, dim] that `move` has moved: unit vectors [n, dim]."""

    def __init__(self, predictor: Predictor, move: Callable[[np.ndarray], np.ndarray]) -> None:
        self.manifest, self._predictor, self._move = predictor.manifest, predictor, move

    @property
    def width(self) -> int:
        return self._predictor.width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        return self._predictor.answer(self._move(embeddings), top_k)

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        return self._predictor.log_probabilities(self._move(embeddings), nouns)

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        guided, left_out = self._predictor.guided_by(nouns)
        return MovedPredictor(guided, self._move), left_out


def shifted(embeddings: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Images [n, dim] less their mean shift from texts, mean image - mean text, float32 [dim]."""
    moved: np.ndarray = embeddings.astype(np.float32) - shift
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    return moved


@torch.inference_mode()
def projected(embeddings: np.ndarray, memory: torch.Tensor) -> np.ndarray:
    """Images [n, dim] on a memory of texts, unit rows [texts, dim]: unit(softmax(100 f M^T) M), as DeCap projects."""
    parts = []
    for block in torch.from_numpy(embeddings.astype(np.float32)).split(_BLOCK):
        shares = F.softmax(SHARPNESS * F.normalize(block, dim=-1) @ memory.T, dim=-1)
        parts.append(F.normalize(shares @ memory, dim=-1))
    return torch.cat(parts).numpy() if parts else embeddings
