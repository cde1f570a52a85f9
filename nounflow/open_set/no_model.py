"""A no-model: for each text a second embedding, near images that do *not* show it (CLIPN, Wang et al., ICCV 2023).

p_yes of an image f and a text with embeddings g (yes) and n (no) is a softmax of two: sigma((f.g - f.n) / temperature).
The yes side is the embedder's own and stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nounflow.embedders.text_encoder import TextEncoder
from nounflow.store.matrix import MappedMatrix
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
        x = texts + _drawn(self.prompts, len(texts), self.training)
        return F.normalize(x + self.narrow(F.gelu(self.widen(self.norm(x)))), dim=-1)


class NoTower(nn.Module):
    """A copy of a text tower with a pool of additive prompts over all tokens; at the start n = g. The original."""

    def __init__(self, encoder: TextEncoder, prompts: int) -> None:
        """`encoder`: with a tower that is written out, as `text_encoder` gives it; `prompts`: as of `NoHead`."""
        super().__init__()
        tower = encoder.tower
        assert tower is not None
        tensors = list(_tensors(vars(tower)))
        rows = torch.contiguous_format  # of transposed weights, AdamW's sums would change places in a checkpoint
        self.weights = nn.ParameterList(part.detach().float().clone(memory_format=rows) for part in tensors)
        width = tower.embedded(torch.zeros(1, 1, dtype=torch.int64, device=encoder.device)).shape[-1]
        self.prompts = nn.Parameter(torch.zeros(prompts, encoder.context, width, device=encoder.device))
        # the copy holds these parameters in the place of the original's tensors
        self._tower = copy.deepcopy(tower, {id(old): new for old, new in zip(tensors, self.weights, strict=True)})

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask [n, tokens] -> unit no-embeddings [n, dim]."""
        x = self._tower.embedded(ids) + _drawn(self.prompts[:, : ids.shape[1]], len(ids), self.training)
        return self._tower.of_embedded(x, ids, mask)


def _tensors(part: Any) -> Iterator[torch.Tensor]:
    """All tensors within dictionaries, sequences and dataclasses, in a fixed order."""
    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, dict | list | tuple):
        for one in part.values() if isinstance(part, dict) else part:
            yield from _tensors(one)
    elif hasattr(part, "__dataclass_fields__"):
        yield from _tensors(vars(part))


def _drawn(prompts: torch.Tensor, n: int, training: bool) -> torch.Tensor:
    """One of the prompts [prompts, ...] or their mean for each text, [n, ...]; not in training the mean, [1, ...]."""
    mean = prompts.mean(0, keepdim=True)
    if not training:
        return mean
    return torch.cat([prompts, mean])[torch.randint(len(prompts) + 1, (n,)).to(prompts.device)]


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
    """Pairs of image and caption; or texts alone, of which one under noise stands for an image of its noun."""

    def __init__(
        self,
        module: nn.Module,
        samples: TrainingSet,
        temperature: float,
        captions: np.ndarray | MappedMatrix | None = None,
        tokens: Callable[[np.ndarray], tuple[torch.Tensor, ...]] | None = None,
    ) -> None:
        """
        Args:
            samples: images, or the texts that stand for them.
            captions: text embeddings of the samples, fp16 [samples, dim]; None: another text of the first target.
            tokens: what `module` takes of the captions of some rows [n]; None: their text embeddings.
        """
        self.module = module
        self._samples, self._temperature, self._captions, self._tokens = samples, temperature, captions, tokens
        self._noun = samples.targets[samples.offsets[:-1]].astype(np.int64)
        trained = np.flatnonzero(~samples.heldout)
        self._order = trained[np.argsort(self._noun[trained], kind="stable")]
        self._starts = np.searchsorted(self._noun[self._order], np.arange(self._noun.max() + 2))

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """All rows [n] cost the same: int64 [n]."""
        return np.zeros(len(rows), dtype=np.int64)

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Loss of images [n, dim], or what stands for them, and their texts; see `TrainingTask.loss`."""
        device = embeddings.device
        texts = self._samples.vectors[self._partners(rows)] if self._captions is None else self._captions[rows]
        yes = F.normalize(torch.from_numpy(texts).float().to(device), dim=-1)
        no = None if self._tokens is None else self.module(*self._tokens(rows)).float()
        nouns = torch.from_numpy(self._noun[rows]).to(device)
        images = F.normalize(embeddings.float(), dim=-1)
        with torch.autocast(device.type, enabled=False):
            no = self.module(yes) if no is None else no
            loss, right = yes_no_loss(images, yes, no, nouns[:, None] == nouns, self._temperature)
        n = torch.tensor(float(len(rows)), device=device)
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
