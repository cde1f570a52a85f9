"""Context words of labels, learnt as vectors through a frozen text tower (CoOp, Zhou et al. 2022; MKT, stage 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError

_TOGETHER = 256  # labels whose vectors are computed at once where nothing is learnt


@dataclass(frozen=True)
class LabelTokens:
    """Labels in each template: ids and mask [labels, tokens] of each."""

    templates: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    def __getitem__(self, places: np.ndarray) -> "LabelTokens":
        """Those of some labels."""
        return LabelTokens(tuple((ids[places], mask[places]) for ids, mask in self.templates))


class LearntContext(nn.Module):
    """What stands before a label in each template, as vectors that all labels share; begins as the template's words.

    The tower stays as it is and is no part of the module.
    """

    def __init__(self, embedder: Embedder, templates: Sequence[str]) -> None:
        """
        Raises:
            NounflowError: gradients cannot pass through the embedder's text tower, or no template has words to learn.
        """
        super().__init__()
        if embedder.open_texts is None or embedder.open_texts.tower is None:
            raise NounflowError(
                f"The text tower of {embedder.identity.spec} is not open to learnt context words",
                where="how: context",
                fix="take adapter_offset, or a CLIP or SigLIP whose tower is written out (docs/tags.md)",
            )
        self._texts, self._tower, self._templates = embedder.open_texts, embedder.open_texts.tower, tuple(templates)
        self._device = embedder.device
        self.words = nn.ParameterList()
        self._first: list[int] = []  # place of the first word: behind what opens every text
        nothing = self._texts.tokenise([""])[0]
        for before in (template.partition("{}")[0] for template in templates):
            ids = self._texts.tokenise([before])[0]
            first, last = _shared(nothing, ids), _shared(ids, self._texts.tokenise([f"{before}cat"])[0])
            vectors = self._tower.embedded(torch.tensor([ids], device=self._device))[0, first : max(first, last)]
            self.words.append(nn.Parameter(vectors.detach().clone()))
            self._first.append(first)
        if not sum(len(part) for part in self.words):
            raise NounflowError(
                "No template has words before the label",
                where="tags.templates",
                fix='add one such as "There is a {} in the scene."',
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images stay as they are, [..., dim]."""
        return images

    def tokens(self, labels: Sequence[str]) -> LabelTokens:
        """The labels in each template."""
        texts = ([template.replace("{}", label) for label in labels] for template in self._templates)
        return LabelTokens(tuple(map(self._texts.batch, texts)))

    def of_labels(self, labels: LabelTokens) -> torch.Tensor:
        """The direction of the mean over templates, unit vectors [labels, dim]."""
        vectors = []
        for (ids, mask), words, first in zip(labels.templates, self.words, self._first, strict=True):
            x = self._tower.embedded(ids)
            x = torch.cat([x[:, :first], words.expand(len(x), -1, -1), x[:, first + len(words) :]], dim=1)
            vectors.append(self._tower.of_embedded(x, ids, mask))
        return F.normalize(torch.stack(vectors).mean(0), dim=-1)

    def moved(self, images: np.ndarray) -> np.ndarray:
        """Unit vectors [..., dim] as scores are computed from: the same."""
        return images

    @torch.no_grad()
    def moved_labels(self, labels: Sequence[str], _vectors: np.ndarray) -> np.ndarray:
        """Unit vectors of labels, float32 [labels, dim]."""
        parts = [labels[i : i + _TOGETHER] for i in range(0, len(labels), _TOGETHER)]
        return np.concatenate([self.of_labels(self.tokens(part)).cpu().numpy() for part in parts])


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids two texts begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
