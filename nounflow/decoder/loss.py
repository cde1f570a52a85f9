"""Token cross-entropy over several weighted targets (NOVIC paper, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import PackedTargets


@dataclass(frozen=True)
class LossParts:
    """Additive parts: summed over batches, total / basis is the mean loss and correct / basis the accuracy."""

    total: torch.Tensor  # sum of weight * cross-entropy
    basis: torch.Tensor  # sum of weights over predictions
    correct: torch.Tensor  # sum of weights where the likeliest token is the right one


def decoder_loss(
    model: ObjectDecoder, embeddings: torch.Tensor, packed: PackedTargets, label_smoothing: float = 0.0
) -> LossParts:
    """Loss parts of a packed batch; logits are made at the predicting positions only.

    sum over targets a and their tokens t of w_a * cross_entropy(a, t); basis sum of w_a over the same tokens.
    """
    hidden = model(embeddings, packed.tokens, packed.positions, packed.mask)  # [batch, prefix + new, width]
    picked = hidden.reshape(-1, hidden.shape[-1]).index_select(0, packed.predict_from)
    return weighted_cross_entropy(model.logits(picked), packed.predict, packed.weights, label_smoothing)


def weighted_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, label_smoothing: float = 0.0
) -> LossParts:
    """logits [n, classes], labels [n], weights [n] -> loss parts."""
    logits = logits.float()
    losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    with torch.no_grad():  # a comparison with the maximum: argmax costs five times as much on a CPU
        correct = (weights * (logits.gather(1, labels[:, None])[:, 0] >= logits.amax(-1))).sum()
    return LossParts(total=(weights * losses).sum(), basis=weights.sum(), correct=correct)
