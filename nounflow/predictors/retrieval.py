"""The `retrieval` baseline: the nearest noun by cosine to prompt-ensembled text embeddings. No training."""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.retrieval import RetrievalConfig
from nounflow.predictors.protocol import Answers, Predictor, lexicon_answers, of_given
from nounflow.schemas.models import PredictorManifest


class RetrievalPredictor(Predictor):
    """Cosine to every noun, best first."""

    def __init__(
        self, manifest: PredictorManifest, tensors: dict[str, torch.Tensor], device: str, *_unused: object
    ) -> None:
        self.manifest, self._device = manifest, device
        self._nouns = tensors["nouns"].to(device)  # [nouns, dim]
        temperature = RetrievalConfig.model_validate(manifest.settings["retrieval"]).temperature
        assert temperature is not None  # an index holds the fitted one
        self._temperature = temperature

    @property
    def width(self) -> int:
        return len(self.manifest.nouns)

    @torch.inference_mode()
    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """Scores are cosines, probabilities a softmax of them."""
        cosines = self._cosines(embeddings)
        scores, ids = cosines.topk(min(top_k, cosines.shape[-1]), dim=-1)
        probabilities = F.softmax(cosines / self._temperature, dim=-1).gather(1, ids)
        return lexicon_answers(
            self.manifest.nouns, ids.cpu().numpy(), scores.cpu().numpy(), probabilities.cpu().numpy()
        )

    @torch.inference_mode()
    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        return of_given(F.log_softmax(self._cosines(embeddings) / self._temperature, dim=-1), nouns)

    def _cosines(self, embeddings: np.ndarray) -> torch.Tensor:
        """To all nouns, [n, nouns]."""
        return F.normalize(torch.from_numpy(embeddings).to(self._device, torch.float32), dim=-1) @ self._nouns.T
