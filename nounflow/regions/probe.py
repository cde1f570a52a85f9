"""A sigmoid linear classifier of each name, trained alone: another name changes no bit of those there are.

It is fitted to all of a name's samples at once by L-BFGS, from zero and without a bias. The training loop of decoder
and head draws batches over all targets and clips their joint gradient, so a further name would move every other row.
"""

from __future__ import annotations

import numpy as np
import torch
from torchvision.ops import sigmoid_focal_loss

from nounflow.config.regions import ProbeConfig


def focal_loss(logits: torch.Tensor, targets: torch.Tensor, alpha: float, gamma: float) -> torch.Tensor:
    """Sigmoid focal loss (Lin et al. 2017) of logits [n] for targets [n] of 0 and 1: their sum for each positive."""
    total: torch.Tensor = sigmoid_focal_loss(logits, targets, alpha, gamma, reduction="sum")
    return total / targets.sum().clamp(min=1)


def fit_row(features: np.ndarray, targets: np.ndarray, config: ProbeConfig) -> np.ndarray:
    """The weights of one name, float32 [d], from its samples' features [n, d] and targets [n]."""
    inputs, wanted = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(targets.astype(np.float32))
    weights = torch.zeros(inputs.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=config.iterations, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (
            focal_loss(inputs @ weights, wanted, config.alpha, config.gamma) + config.decay / 2 * weights.square().sum()
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach().numpy()


def probabilities(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sigmoids of features [n, d] under rows of weights [names, d]: float64 [n, names]."""
    logits = features.astype(np.float64) @ weights.T.astype(np.float64)
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))
