"""What the training loop trains: any module that says what its rows cost and what its loss is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import nn

from nounflow.decoder.loss import LossParts, decoder_loss
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import PackedTargets, pack
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.store.training_set import TrainingSet


class Trainee(Protocol):
    """What the loop trains."""

    module: nn.Module

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """Length of each training-set row, int64 [n]; rows of like length are computed together."""
        ...

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Loss parts of training-set rows [n] under their (noisy) embeddings [n, dim]."""
        ...


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
        tokens = np.add.reduceat(token_counts, training_set.offsets[:-1])  # of each row's targets
        self._cost = module.config.prefix_tokens + tokens

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """Prefix vectors and tokens."""
        return self._cost[rows]

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """See `Trainee.loss`."""
        return decoder_loss(self.module, embeddings, self.packed(rows).to(embeddings.device), self._smoothing)

    def packed(self, rows: np.ndarray) -> PackedTargets:
        """The targets of some rows, laid out."""
        return pack(self._vocabulary, self.module.config.prefix_tokens, *self._set.targets_of(rows))
