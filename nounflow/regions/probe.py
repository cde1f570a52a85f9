"""A sigmoid linear classifier of each name, trained alone: another name changes no bit of those there are.

It is fitted to all of a name's samples at once by L-BFGS, from zero and without a bias. The training loop of decoder
and head draws batches over all targets and clips their joint gradient, so a further name would move every other row.
It learns from boxes that fit a pseudo box or a true one, and from others of the same images.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torchvision.ops import sigmoid_focal_loss

from nounflow.config.regions import ProbeConfig
from nounflow.regions.boxes import best_overlap
from nounflow.streams import stream


def draw_samples(
    boxes: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], config: ProbeConfig, seed: int, name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positives and negatives of one name, which depend on no other name: file -> rows int64 [n], positive bool [n].

    Images in which no box fits are left out.

    Args:
        boxes: file -> the proposals, [n, 4].
        targets: file -> boxes that stand for the name, [m, 4], at least one.
    """
    samples = {}
    for file, aims in targets.items():
        fits = best_overlap(boxes[file], aims) >= config.positive_iou
        if not fits.any():
            continue
        others = np.flatnonzero(~fits)
        most = config.negatives * int(fits.sum())
        if len(others) > most:
            others = np.sort(stream(seed, "negatives", name, file).choice(others, most, replace=False))
        rows = np.concatenate([np.flatnonzero(fits), others])
        samples[file] = rows, np.arange(len(rows)) < fits.sum()
    return samples


def background_rows(boxes: int, most: int, seed: int, file: str) -> np.ndarray:
    """Some rows of an image's boxes, drawn for no name: int64, ascending."""
    drawn = stream(seed, "background", file).permutation(boxes)[:most]
    return np.asarray(np.sort(drawn))


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
