"""A predictor that sees each image as a mixture of the texts that are nearest to it."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.predictors.protocol import Answers, Predictor

SHARPNESS = 100.0  # of the softmax over cosines (DeCap, ICLR 2023)
_BLOCK = 256


class ProjectedPredictor(Predictor):
    """Answers for images projected onto a memory of texts: unit(softmax(100 f M^T) M), the projection of DeCap."""

    def __init__(self, predictor: Predictor, memory: torch.Tensor) -> None:
        """
        Args:
            memory: [texts, dim], unit rows, float16 or float32.
        """
        self.manifest, self._predictor, self._memory = predictor.manifest, predictor, memory.float()

    @property
    def width(self) -> int:
        return self._predictor.width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        return self._predictor.answer(self._projected(embeddings), top_k)

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        return self._predictor.log_probabilities(self._projected(embeddings), nouns)

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        guided, left_out = self._predictor.guided_by(nouns)
        return ProjectedPredictor(guided, self._memory), left_out

    @torch.inference_mode()
    def _projected(self, embeddings: np.ndarray) -> np.ndarray:
        parts = []
        for block in torch.from_numpy(embeddings.astype(np.float32)).split(_BLOCK):
            shares = F.softmax(SHARPNESS * F.normalize(block, dim=-1) @ self._memory.T, dim=-1)
            parts.append(F.normalize(shares @ self._memory, dim=-1))
        return torch.cat(parts).numpy() if parts else embeddings
