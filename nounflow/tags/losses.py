"""Losses of several labels an image, on lists of (image, label) and of (image, present label, absent label).

No tensor of [batch, labels, labels] is ever made: a batch of 64 with 1,006 labels would take 259 MB for each.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

_FOCUS, _CLIP = 4.0, 0.05  # of the asymmetric loss: power for absent labels, probability taken off them


@dataclass(frozen=True)
class Marks:
    """What is known of some images' labels, as parallel lists; unknown labels do not stand in them."""

    image: np.ndarray  # int64 [marks], ascending
    label: np.ndarray  # int64 [marks]
    present: np.ndarray  # bool [marks]

    @classmethod
    def of(cls, values: np.ndarray) -> "Marks":
        """From +1, -1, 0 [images, labels]."""
        image, label = np.nonzero(values)
        return cls(image, label, values[image, label] > 0)

    def pairs(self, images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image, present label and absent label of every such pair within an image, int64 [pairs] each."""
        right, wrong = np.flatnonzero(self.present), np.flatnonzero(~self.present)
        absent = np.bincount(self.image[wrong], minlength=images)
        first, times = (absent.cumsum() - absent)[self.image[right]], absent[self.image[right]]
        turn = np.arange(times.sum()) - np.repeat(times.cumsum() - times, times)  # 0, 1, ... for each present label
        right, wrong = np.repeat(right, times), wrong[np.repeat(first, times) + turn]
        return self.image[right], self.label[right], self.label[wrong]


def ranking(scores: torch.Tensor, marks: Marks) -> torch.Tensor:
    """The published ranking loss of each image, [images]: hinges of margin 1 over the number of pairs that violate it.

    Of scores whose halves have unit length over the labels the margin is never met: then every pair violates, and the
    loss is 1 + mean(absent) - mean(present), which is linear.
    """
    image, hinges, zeros = _hinges(scores, marks, 1.0)
    violating = zeros.index_add(0, image, (hinges.detach() > 0).to(scores.dtype))
    return zeros.index_add(0, image, hinges) / (violating + 1e-8)


def hinge(logits: torch.Tensor, marks: Marks, margin: float) -> torch.Tensor:
    """Mean hinge over an image's pairs of logits, [images]: a margin that can be met."""
    image, hinges, zeros = _hinges(logits, marks, margin)
    return zeros.index_add(0, image, hinges) / zeros.index_add(0, image, torch.ones_like(hinges)).clamp(min=1)


def asymmetric(logits: torch.Tensor, marks: Marks) -> torch.Tensor:
    """Asymmetric loss (Ridnik et al. 2021) of each image, [images]: easy absent labels weigh next to nothing."""
    image, label = _on(logits, marks.image, marks.label)
    present = torch.from_numpy(marks.present).to(logits.device)
    p = torch.sigmoid(logits[image, label])
    absent = (p - _CLIP).clamp(min=0)
    losses = torch.where(
        present, -torch.log(p.clamp(min=1e-8)), -(absent**_FOCUS) * torch.log((1 - absent).clamp(min=1e-8))
    )
    return logits.new_zeros(len(logits)).index_add(0, image, losses)


def _hinges(scores: torch.Tensor, marks: Marks, margin: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The image and the hinge of each pair, and a zero for each image."""
    image, right, wrong = _on(scores, *marks.pairs(len(scores)))
    return image, F.relu(margin + scores[image, wrong] - scores[image, right]), scores.new_zeros(len(scores))


def _on(like: torch.Tensor, *arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array).to(like.device) for array in arrays)
