"""What training lowers: cross-entropy over weighted targets (NOVIC paper, section 3.4), of any task.

Logits are by far the largest tensor of a step, so they are gone through once, in cache-sized runs of rows, and their
memory then holds their gradient. The loss is the exact softmax over the whole vocabulary.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from nounflow.device import by_device

# Logits that are worked on together: on a CPU what the caches hold, on a GPU enough to keep it busy.
_CHUNK = (1 << 21, 1 << 28)


@dataclass(frozen=True)
class LossParts:
    """Additive parts: summed over batches, total / basis is the mean loss and correct / basis the accuracy."""

    total: torch.Tensor  # sum of weight * cross-entropy
    basis: torch.Tensor  # sum of weights over predictions
    correct: torch.Tensor  # sum of weights where the likeliest token is the right one

    def stack(self) -> torch.Tensor:
        """[3]: total, basis, correct, without history."""
        return torch.stack([self.total.detach(), self.basis, self.correct])


class TrainingTask(Protocol):
    """What the training loop trains: a module that says what its rows cost and what its loss is."""

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


def weighted_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, label_smoothing: float = 0.0
) -> LossParts:
    """logits [n, classes], labels [n], weights [n] -> loss parts. The logits are overwritten: use them no more."""
    total, correct = _CrossEntropy.apply(logits, labels, weights, label_smoothing)
    return LossParts(total=total, basis=weights.sum(), correct=correct)


class _CrossEntropy(torch.autograd.Function):
    """Weighted sum of cross-entropies; forward leaves w * (softmax - label distribution) in the logits' memory."""

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, smoothing: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        total, correct = (torch.zeros((), device=logits.device) for _ in range(2))
        rows = max(1, by_device(logits.device.type, *_CHUNK) // logits.shape[1])
        for part, label, weight in zip(logits.split(rows), labels.split(rows), weights.split(rows), strict=True):
            loss, right = _chunk(part, label[:, None], weight[:, None], smoothing)
            total += loss
            correct += right
        ctx.gradient = logits
        ctx.mark_non_differentiable(correct)
        return total, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, total: torch.Tensor, _correct: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # on a GPU the question would cost more than the product
        scaled = total.device.type != "cpu" or float(total) != 1.0
        return ctx.gradient * total.to(ctx.gradient.dtype) if scaled else ctx.gradient, None, None, None


def _chunk(
    logits: torch.Tensor, label: torch.Tensor, weight: torch.Tensor, smoothing: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and weight of right predictions of some rows (label and weight [n, 1]); logits become the gradient."""
    x = logits.float() if logits.dtype != torch.float32 else logits  # float32 logits are worked on in place
    classes = x.shape[1]
    at_label, top = x.gather(1, label), x.amax(1, keepdim=True)
    correct = (weight * (at_label >= top)).sum()  # a comparison: argmax costs five times as much on a CPU
    mean = x.mean(1, keepdim=True) if smoothing else 0.0
    x.sub_(top).exp_()
    normaliser = x.sum(1, keepdim=True)
    expected = (1 - smoothing) * at_label + smoothing * mean
    total = (weight * (normaliser.log() + top - expected)).sum()
    x.mul_(weight / normaliser).scatter_add_(1, label, -(1 - smoothing) * weight)
    if smoothing:
        x.sub_(weight * (smoothing / classes))
    if x is not logits:
        logits.copy_(x)
    return total, correct
