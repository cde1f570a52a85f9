"""What the training loop trains: any module that says what its rows cost and what its loss is."""

from typing import Protocol

import numpy as np
import torch
from torch import nn

from nounflow.training.loss import LossParts


class TrainingTask(Protocol):
    """What the loop trains."""

    @property
    def module(self) -> nn.Module:
        """What has the weights."""
        ...

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """Length of each training-set row, int64 [n]; rows of like length are computed together."""
        ...

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Loss parts of training-set rows [n] under their (noisy) embeddings [n, dim]."""
        ...
