"""The text tower that CLIP and SigLIP models share, written out once for every library that brings its weights.

A pre-norm transformer (Radford et al. 2021), of which one position is pooled and projected. It is faster than the
libraries' modules: rows may be shorter than the context where attention is causal, the last layer is computed for the
pooled position only, and the weights themselves are in the low precision while sums and norms stay in fp32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nounflow.embedders.attention import attend, split_heads

Affine = tuple[Tensor, Tensor | None]  # weight [out, in] or [width], bias
Pooling = Literal["argmax", "eos", "first", "last"]


@dataclass(frozen=True)
class TowerLayer:
    """Weights of one transformer layer."""

    norm1: Affine
    query: Affine
    key_value: Affine  # one product instead of two
    out: Affine
    norm2: Affine
    up: Affine
    down: Affine


@dataclass(frozen=True)
class TextTower:
    """Token ids [batch, tokens] to unit vectors [batch, dim]."""

    tokens: Tensor  # [vocabulary, width]
    positions: Tensor  # [context, width]
    layers: Sequence[TowerLayer]
    final_norm: Affine
    projection: Affine | None
    heads: int
    epsilon: float
    activation: Callable[[Tensor], Tensor]
    causal: bool
    pooling: Pooling
    eos: int = -1  # pooled at its first place, where pooling is "eos"

    @property
    def cuttable(self) -> bool:
        """Whether padding behind a row changes nothing: no token looks ahead, and no padding is pooled."""
        return self.causal and self.pooling != "last"

    def prepared(self, device: str, dtype: torch.dtype) -> "TextTower":
        """The same tower for inference: matrices in `dtype`, norms, positions and the projection in fp32."""

        fp32 = torch.float32
        norms = ("norm1", "norm2")
        layers = [
            TowerLayer(
                **{name: _placed(part, device, fp32 if name in norms else dtype) for name, part in vars(layer).items()}
            )
            for layer in self.layers
        ]
        return replace(
            self,
            tokens=self.tokens.detach().to(device, dtype),
            positions=self.positions.detach().to(device, fp32),
            layers=layers,
            final_norm=_placed(self.final_norm, device, fp32),
            projection=None if self.projection is None else _placed(self.projection, device, fp32),
        )

    def __call__(self, ids: Tensor, _mask: Tensor | None = None) -> Tensor:
        """Unit vectors, fp32 [batch, dim], of token ids, int64 [batch, tokens]; no mask is needed.

        Rows of less than the context are right for a cuttable tower only.
        """
        return self.of_embedded(self.embedded(ids), ids)

    def embedded(self, ids: Tensor) -> Tensor:
        """See `OpenTower`."""
        return self.tokens[ids].float()

    def of_embedded(self, x: Tensor, ids: Tensor, _mask: Tensor | None = None) -> Tensor:
        """See `OpenTower`; no mask is needed."""
        batch, length = ids.shape
        x = x + self.positions[:length]  # fp32 [batch, tokens, width]
        places = torch.arange(length, device=ids.device)
        ahead = (places[None] > places[:, None])[None, None] if self.causal else None  # [1, 1, tokens, tokens]
        for layer in self.layers[:-1]:
            x = self._layer(layer, x, x, ahead)
        pooled = self._pooled(ids)  # [batch]
        unseen = (places[None] > pooled[:, None])[:, None, None] if self.causal else None  # [batch, 1, 1, tokens]
        last = self._layer(self.layers[-1], x[torch.arange(batch, device=ids.device), pooled, None], x, unseen)
        features = self._norm(last[:, 0], self.final_norm)
        if self.projection is not None:
            features = F.linear(features, *self.projection)
        return F.normalize(features, dim=-1)

    def _layer(self, layer: TowerLayer, x: Tensor, context: Tensor, blocked: Tensor | None) -> Tensor:
        """One layer for the rows x [batch, queries, width] that look at context [batch, tokens, width]."""
        dtype = self.tokens.dtype
        # of the context, in the low precision: [batch, tokens, width]
        seen = self._norm(context, layer.norm1).to(dtype)
        asking = seen if x is context else self._norm(x, layer.norm1).to(dtype)
        key, value = F.linear(seen, *layer.key_value).chunk(2, dim=-1)
        # each [batch * heads, queries or tokens, width / heads]
        q, k, v = (split_heads(part, self.heads) for part in (F.linear(asking, *layer.query), key, value))
        x = x + F.linear(attend(q, k, v, self.heads, blocked), *layer.out)
        inner = self.activation(F.linear(self._norm(x, layer.norm2).to(dtype), *layer.up))
        return x + F.linear(inner, *layer.down)

    def _norm(self, x: Tensor, affine: Affine) -> Tensor:
        return F.layer_norm(x, (x.shape[-1],), *affine, self.epsilon)

    def _pooled(self, ids: Tensor) -> Tensor:
        """Which position of each row becomes the text's vector, int64 [batch]."""
        if self.pooling == "argmax":
            return ids.argmax(-1)
        if self.pooling == "eos":
            return (ids == self.eos).int().argmax(-1)
        return torch.full((len(ids),), 0 if self.pooling == "first" else ids.shape[1] - 1, device=ids.device)


def quick_gelu(x: Tensor) -> Tensor:
    """The activation of OpenAI's own models: x * sigmoid(1.702 x) of each element; [...] -> [...]."""
    return x * torch.sigmoid(1.702 * x)


def affine(module: Any) -> Affine:
    """Weight and bias of a linear layer or a norm."""
    return module.weight, module.bias


def _placed(part: Affine, device: str, dtype: torch.dtype) -> Affine:
    weight, bias = part
    return weight.detach().to(device, dtype), None if bias is None else bias.detach().to(device, dtype)
