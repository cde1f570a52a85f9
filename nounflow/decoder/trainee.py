"""The object decoder as the training loop sees it."""

from __future__ import annotations

import numpy as np
import torch

from nounflow.decoder.loss import LossParts, decoder_loss
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import pack
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.store.training_set import TrainingSet


class DecoderTrainee:
    """Packs the targets of training-set rows for an ObjectDecoder."""

    def __init__(
        self,
        module: ObjectDecoder,
        vocabulary: TargetVocabulary,
        training_set: TrainingSet,
        label_smoothing: float = 0.0,
    ) -> None:
        self.module = module
        self._vocabulary, self._set, self._smoothing = vocabulary, training_set, label_smoothing
        token_counts = vocabulary.lengths[training_set.targets]
        self._cost = np.add.reduceat(token_counts, training_set.offsets[:-1])  # tokens of each row's targets

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """Tokens behind the prefix."""
        return self._cost[rows]

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """See `Trainee.loss`."""
        targets, weights, offsets = self._set.targets_of(rows)
        packed = pack(self._vocabulary, self.module.config.prefix_tokens, targets, weights, offsets)
        return decoder_loss(self.module, embeddings, packed.to(embeddings.device), self._smoothing)
