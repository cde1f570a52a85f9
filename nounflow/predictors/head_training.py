"""The head as the training loop sees it (`nounflow.training.training_task`)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.predictors.head import NounHead
from nounflow.store.training_set import TrainingSet
from nounflow.training.loss import LossParts


class HeadTask:
    """Cross-entropy of a `NounHead` over training-set rows."""

    def __init__(self, module: NounHead, training_set: TrainingSet, label_smoothing: float = 0.0) -> None:
        self.module = module
        self._set, self._smoothing = training_set, label_smoothing

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """All rows cost the same."""
        return np.zeros(len(rows), dtype=np.int64)

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Cross-entropy against the target distribution of each row."""
        targets, weights, offsets = self._set.targets_of(rows)
        device = embeddings.device
        labels = torch.from_numpy(targets).to(device)
        weight = torch.from_numpy(weights).to(device)
        sample = torch.from_numpy(np.repeat(np.arange(len(rows)), np.diff(offsets))).to(device)
        log_probabilities = F.log_softmax(self.module(embeddings).float(), dim=-1)
        losses = -log_probabilities[sample, labels]
        if self._smoothing:
            losses = (1 - self._smoothing) * losses - self._smoothing * log_probabilities.mean(-1)[sample]
        with torch.no_grad():
            correct = (weight * (log_probabilities.argmax(-1)[sample] == labels)).sum()
        return LossParts(total=(weight * losses).sum(), basis=weight.sum(), correct=correct)
