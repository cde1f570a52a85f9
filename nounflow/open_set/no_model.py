"""A no-model: for each text a second embedding, near images that do *not* show it (CLIPN, Wang et al., ICCV 2023).

p_yes of an image f and a text with embeddings g (yes) and n (no) is a softmax of two: sigma((f.g - f.n) / temperature).
The yes side is the embedder's own and stays as it is.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nounflow.store.training_set import TrainingSet
from nounflow.training.loss import LossParts

_NEAR_ZERO = 1e-4  # keeps the gradient of a distance finite where n = g


class NoHead(nn.Module):
    """A residual network on text embeddings with a pool of additive prompts; at the start n = g."""

    def __init__(self, dim: int, hidden: int, prompts: int) -> None:
        """
        Args:
            hidden: width; 0: twice the dimension.
            prompts: rows of the pool, zero at the start; training draws one of them, or their mean, for each text.
        """
        super().__init__()
        hidden = hidden or 2 * dim
        self.prompts = nn.Parameter(torch.zeros(prompts, dim))
        self.norm = nn.LayerNorm(dim)
        self.widen, self.narrow = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, texts: torch.Tensor) -> torch.Tensor:
        """Unit text embeddings [n, dim] -> unit no-embeddings [n, dim]."""
        pool = torch.cat([self.prompts, self.prompts.mean(0, keepdim=True)])  # [prompts + 1, dim]
        if self.training:
            drawn = torch.randint(len(pool), (len(texts),)).to(texts.device)
        else:
            drawn = torch.full((len(texts),), len(pool) - 1, device=texts.device)
        x = texts + pool[drawn]
        return F.normalize(x + self.narrow(F.gelu(self.widen(self.norm(x)))), dim=-1)


def yes_no_loss(
    images: torch.Tensor, yes: torch.Tensor, no: torch.Tensor, same: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean loss of a batch of pairs, [], and the share of images that are called "yes" by their own text, [].

    0.5 * (mean of -log p_yes over pairs + mean of -log p_no over images and texts of others + semantic opposition of
    yes and no), so that the many "no" weigh as much as the few "yes".

    Args:
        images, yes, no: unit rows [n, dim].
        same: bool [n, n], image and text name the same; such a text is no "no" for the image.
    """
    logits = images @ (yes - no).T / temperature  # [n, n]
    own = logits.diagonal()
    others = ~(same | torch.eye(len(own), dtype=torch.bool, device=own.device))
    loss_no = (F.softplus(logits) * others).sum() / others.sum().clamp(min=1)
    total = F.softplus(-own).mean() + loss_no + opposition(yes, no)
    return 0.5 * total, (own > 0).float().mean()


def opposition(yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    """How far yes and no are from being opposite: mean of 2 minus their distance, from 2 (equal) to 0, []."""
    distance = (2 - 2 * (yes * no).sum(-1) + _NEAR_ZERO).clamp(min=0).sqrt()
    return (2 - distance).mean()


class NoTask:
    """Texts alone: a text under the run's noise stands for an image, another text of its noun for what is asked."""

    def __init__(self, module: NoHead, texts: TrainingSet, temperature: float) -> None:
        self.module = module
        self._texts, self._temperature = texts, temperature
        first = texts.targets[texts.offsets[:-1]].astype(np.int64)
        self._noun = first
        trained = np.flatnonzero(~texts.heldout)
        self._order = trained[np.argsort(first[trained], kind="stable")]
        self._starts = np.searchsorted(first[self._order], np.arange(first.max() + 2))

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """All rows [n] cost the same: int64 [n]."""
        return np.zeros(len(rows), dtype=np.int64)

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Loss of simulated images [n, dim] and their partners' texts; see `TrainingTask.loss`."""
        partners = torch.from_numpy(self._texts.vectors[self._partners(rows)]).float().to(embeddings.device)
        yes = F.normalize(partners, dim=-1)
        nouns = torch.from_numpy(self._noun[rows]).to(embeddings.device)
        images = F.normalize(embeddings.float(), dim=-1)
        with torch.autocast(embeddings.device.type, enabled=False):
            loss, right = yes_no_loss(images, yes, self.module(yes), nouns[:, None] == nouns, self._temperature)
        n = torch.tensor(float(len(rows)), device=embeddings.device)
        return LossParts(total=loss * n, basis=n, correct=right * n)

    def _partners(self, rows: np.ndarray) -> np.ndarray:
        """For each row a training row of the same noun, drawn; itself where the noun has no other."""
        nouns = self._noun[rows]
        counts = self._starts[nouns + 1] - self._starts[nouns]
        drawn = (torch.rand(len(rows), dtype=torch.float64).numpy() * counts).astype(np.int64)
        found: np.ndarray = np.where(
            counts > 0, self._order[np.minimum(self._starts[nouns] + drawn, len(self._order) - 1)], rows
        )
        return found
