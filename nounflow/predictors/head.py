"""The `head` baseline: a plain classifier over all nouns, trained on the same noisy embeddings as the decoder."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nounflow.config.head import HeadConfig
from nounflow.predictors.protocol import Answers, Predictor, lexicon_answers, of_given
from nounflow.schemas.models import PredictorManifest


class NounHead(nn.Module):
    """Linear, or with one hidden layer. Embeddings [n, dim] -> logits [n, nouns]."""

    def __init__(self, dim: int, nouns: int, config: HeadConfig) -> None:
        super().__init__()
        self.dim = dim
        self.hidden = nn.Linear(dim, config.hidden) if config.hidden else None
        self.output = nn.Linear(config.hidden or dim, nouns)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [batch, dim] -> logits of all nouns [batch, nouns]."""
        x = F.normalize(embeddings, dim=-1) * math.sqrt(self.dim)  # unit variance an element
        if self.hidden is not None:
            x = F.gelu(self.hidden(x))
        found: torch.Tensor = self.output(x)
        return found


class HeadPredictor(Predictor):
    """Exact top-k in one matrix product."""

    def __init__(
        self, manifest: PredictorManifest, tensors: dict[str, torch.Tensor], device: str, *_unused: object
    ) -> None:
        self.manifest, self._device = manifest, device
        self._model = NounHead(
            manifest.embedder.dim, len(manifest.nouns), HeadConfig.model_validate(manifest.settings["head"])
        )
        self._model.load_state_dict(tensors)
        self._model.to(device).eval()

    @property
    def width(self) -> int:
        return len(self.manifest.nouns)

    @torch.inference_mode()
    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """Scores are log-probabilities."""
        scores, ids = self._all(embeddings).topk(min(top_k, len(self.manifest.nouns)), dim=-1)
        scores_array = scores.cpu().numpy()
        return lexicon_answers(self.manifest.nouns, ids.cpu().numpy(), scores_array, np.exp(scores_array))

    @torch.inference_mode()
    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        return of_given(self._all(embeddings), nouns)

    def _all(self, embeddings: np.ndarray) -> torch.Tensor:
        """Log-probabilities of all nouns [n, nouns]."""
        return F.log_softmax(self._model(torch.from_numpy(embeddings).to(self._device, torch.float32)), dim=-1)
