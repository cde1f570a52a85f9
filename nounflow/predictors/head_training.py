"""Training the head: from arguments to weights, and as the loop sees it."""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.runs.head import HeadRun
from nounflow.counts import Counts
from nounflow.predictor_kinds import TrainingArguments
from nounflow.predictors.head import NounHead
from nounflow.store.training_set import TrainingSet
from nounflow.training.job import TrainingMaterial, train_predictor
from nounflow.training.loss import LossParts
from nounflow.training.noun_embeddings import mean_embeddings


def train(asked: TrainingArguments[HeadRun]) -> None:
    """Train a head; see `PredictorKind.train`."""
    material, settings = TrainingMaterial.read(asked), asked.settings
    texts, nouns, shape = material.texts, len(material.names), settings.head
    start = None  # [nouns, dim]
    if shape.init == "nouns" and not shape.hidden:
        flow = Counts("models").flow(f"{asked.run}: texts", len(texts.vectors), "texts")
        start = torch.from_numpy(mean_embeddings(texts, nouns, flow))

    def build() -> NounHead:
        head = NounHead(texts.manifest.embedder.dim, nouns, shape)
        if start is not None and not head.output.weight.is_meta:
            with torch.no_grad():
                head.output.weight.copy_(start)
        return head

    train_predictor(
        asked,
        material,
        build=build,
        task_of=lambda head: HeadTask(head, texts, settings.training.label_smoothing),
    )


class HeadTask:
    """Cross-entropy of a `NounHead` over training-set rows."""

    def __init__(self, module: NounHead, training_set: TrainingSet, label_smoothing: float = 0.0) -> None:
        self.module = module
        self._set, self._smoothing = training_set, label_smoothing

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """All rows [n] cost the same: int64 [n]."""
        return np.zeros(len(rows), dtype=np.int64)

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Cross-entropy of embeddings [n, dim] against the target distributions of their rows [n]."""
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
