"""The `retrieval` baseline: the nearest noun by cosine to prompt-ensembled text embeddings. No training."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.decoder import RetrievalConfig
from nounflow.counts import Flow
from nounflow.errors import NounflowError
from nounflow.predictors.protocol import Answers, lexicon_answers
from nounflow.schemas.documents import PredictorManifest
from nounflow.store.training_set import TrainingSet

_BLOCK = 1 << 16


def noun_embeddings(training_set: TrainingSet, nouns: int, flow: Flow) -> np.ndarray:
    """Normalised mean embedding of each noun's single-noun texts: float32 [nouns, dim].

    Held-out texts take part, since nothing is trained here. `flow` counts the texts.

    Raises:
        NounflowError: a noun has no text of its own.
    """
    single = np.flatnonzero(np.diff(training_set.offsets) == 1)
    flow.drop(len(training_set.vectors) - len(single), "name several nouns")
    flow.out(len(single), "texts averaged")
    labels = training_set.targets[training_set.offsets[single]]
    sums = np.zeros((nouns, training_set.vectors.shape[1]), dtype=np.float64)
    for first in range(0, len(single), _BLOCK):  # the vectors need not fit into memory
        block = slice(first, first + _BLOCK)
        np.add.at(sums, labels[block], training_set.vectors[single[block]].astype(np.float64))
    missing = np.setdiff1d(np.arange(nouns), labels)
    if len(missing):
        raise NounflowError(
            f"{len(missing)} nouns have no text of their own to be found by",
            fix="give the run a mixture with M1, such as `multiset: [1]`",
        )
    return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)


class RetrievalPredictor:
    """Cosine to every noun, best first."""

    def __init__(self, manifest: PredictorManifest, tensors: dict[str, torch.Tensor], device: str) -> None:
        self.manifest, self._device = manifest, device
        self._nouns = tensors["nouns"].to(device)  # [nouns, dim]
        self._temperature = RetrievalConfig.model_validate(manifest.settings["retrieval"]).temperature

    @torch.inference_mode()
    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """See `Predictor.answer`; scores are cosines, probabilities a softmax of them."""
        cosines = F.normalize(torch.from_numpy(embeddings).to(self._device, torch.float32), dim=-1) @ self._nouns.T
        scores, ids = cosines.topk(min(top_k, cosines.shape[-1]), dim=-1)
        probabilities = F.softmax(cosines / self._temperature, dim=-1).gather(1, ids)
        return lexicon_answers(
            self.manifest.nouns, ids.cpu().numpy(), scores.cpu().numpy(), probabilities.cpu().numpy()
        )
