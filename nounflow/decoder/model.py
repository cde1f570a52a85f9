"""The object decoder: a small causal transformer that writes a noun out of an embedding (NOVIC paper, section 3.3).

    embedding [batch, dim] -> linear -> prefix vectors [batch, prefix, width] -> tokens, one after the other

The token that follows the last prefix vector is the noun's first; no start token is needed.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from nounflow.config.decoder import DecoderConfig
from nounflow.store.weights import BANK

# E[GELU(z)^2] for z ~ N(0, 1): what a GELU leaves of unit variance (appendix A).
_GELU_SECOND_MOMENT = 0.4252

Cache = tuple[torch.Tensor, torch.Tensor]


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, dropout: float
) -> torch.Tensor:
    """Scaled dot-product attention.

    query [batch, heads, new, size]; key and value [batch, heads, past + new, size]; mask bool, broadcastable to
    [batch, heads, new, past + new], True = may look. Returns [batch, heads, new, size].

    On a CPU it is spelled out: torch's fused kernel is made for long rows, and its backward pass took half of all
    training time on rows of some ten tokens.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)  # [batch, heads, new, past + new]
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return F.dropout(F.softmax(scores, dim=-1), dropout, training=dropout > 0).to(value.dtype) @ value


class DecoderLayer(nn.Module):
    """Pre-LN transformer layer without biases."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout = config.heads, config.dropout
        self.attention_norm = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.feedforward_norm = nn.LayerNorm(width, bias=False)
        hidden = max(1, round(config.feedforward * width))
        self.feedforward_in = nn.Linear(width, hidden, bias=False)
        self.feedforward_out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, Cache]:
        """x [batch, new, width]; mask broadcastable to [batch, heads, new, new], True = may look.

        Returns the output and its keys and values [batch, heads, new, width / heads].
        """
        batch, new, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, new, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [batch, heads, new, width / heads]
        dropout = self.dropout if self.training else 0.0
        mixed = attend(query, key, value, mask, dropout)
        return self._rest(x, mixed.transpose(1, 2).reshape(batch, new, width)), (key, value)

    def step(self, x: torch.Tensor, prefix: Cache, own: Cache) -> tuple[torch.Tensor, Cache]:
        """One more token of several hypotheses that share a prefix.

        x [batch, live, width]; prefix [batch, heads, prefix, size]; own [batch, live, heads, past, size].
        Returns the output and `own` with the new token's keys and values.
        """
        batch, live, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, live, 3, self.heads, width // self.heads)
        query, key, value = qkv.unbind(2)  # each [batch, live, heads, size]
        key, value = torch.cat([own[0], key[:, :, :, None]], 3), torch.cat([own[1], value[:, :, :, None]], 3)
        before = query.transpose(1, 2) @ prefix[0].transpose(-2, -1)  # [batch, heads, live, prefix]
        since = (key @ query[..., None])[..., 0]  # [batch, live, heads, past + 1]
        scores = torch.cat([before.transpose(1, 2), since], -1) * query.shape[-1] ** -0.5
        weights = F.softmax(scores, dim=-1).to(value.dtype)
        shared, past = weights.split([prefix[0].shape[2], key.shape[3]], -1)
        mixed = (shared.transpose(1, 2) @ prefix[1]).transpose(1, 2) + (past[:, :, :, None] @ value)[:, :, :, 0]
        return self._rest(x, mixed.reshape(batch, live, width)), (key, value)

    def _rest(self, x: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """What follows attention; x and mixed [batch, new, width]."""
        x = x + self._drop(self.attention_out(mixed))
        hidden = self._drop(F.gelu(self.feedforward_in(self.feedforward_norm(x))))
        return x + self._drop(self.feedforward_out(hidden))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.dropout, self.training)


class ObjectDecoder(nn.Module):
    """Decoder over a compact vocabulary; token embedding and logits share one matrix unless `tied` is off."""

    def __init__(self, dim: int, vocabulary: int, max_tokens: int, config: DecoderConfig, nouns: int = 0) -> None:
        """
        Args:
            dim: embedding dimension.
            vocabulary: compact ids, END included.
            max_tokens: longest noun in tokens, END included.
            nouns: in the bank, which has to be filled with their embeddings; where `config.neighbours` says so.
        """
        super().__init__()
        self.config, self.dim, self.max_tokens = config, dim, max_tokens
        self.prefix = nn.Linear(dim, config.prefix_tokens * config.width, bias=False)
        if config.neighbours:
            self.neighbour = nn.Linear(dim, config.width, bias=False)
            self.register_buffer(BANK, torch.zeros(nouns, dim))
        self.tokens = nn.Embedding(vocabulary, config.width)
        self.positions = nn.Parameter(torch.empty(config.prefix_length + max_tokens - 1, config.width))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, bias=False)
        self.output = None if config.tied else nn.Linear(config.width, vocabulary, bias=False)
        nn.init.normal_(self.positions, std=math.sqrt(0.5))
        if config.init != "default":
            self._init_weights()

    @torch.no_grad()
    def _init_weights(self) -> None:
        """Inputs and logits balanced (appendix A), layers as `init` says.

        Balanced: every signal about unit variance. Expects unit-norm embeddings as they are (elements of
        variance 1/dim). What `init: nouns` does beyond that: decoder/warm_start.py.
        """
        near = [self.neighbour.weight] if self.config.neighbours else []
        for weight in (self.prefix.weight, *near, self.tokens.weight, self.positions):
            nn.init.normal_(weight, std=math.sqrt(0.5))
        spread = _open_spread if self.config.init == "open" else _balanced_spread
        for layer in self.layers:
            assert isinstance(layer, DecoderLayer)
            matrices = (layer.qkv, layer.attention_out, layer.feedforward_in, layer.feedforward_out)
            for matrix, std in zip(matrices, spread(self.config, layer.feedforward_in.out_features), strict=True):
                nn.init.normal_(matrix.weight, std=std)
        nn.init.constant_(self.norm.weight, self.config.width**-0.5)
        if self.output is not None:
            nn.init.normal_(self.output.weight, std=math.sqrt(0.5))

    def prefix_vectors(self, embeddings: torch.Tensor) -> torch.Tensor:
        """[batch, dim] -> [batch, prefix, width], positions not yet added. Renormalises its input.

        The nearest nouns come first, so that it is the embedding's last vector that the noun follows.
        """
        unit = F.normalize(embeddings, dim=-1)
        flat = self.prefix(unit)
        found: torch.Tensor = flat.view(len(embeddings), self.config.prefix_tokens, self.config.width)
        if not self.config.neighbours:
            return found
        assert isinstance(self.bank, torch.Tensor)
        with torch.no_grad(), torch.autocast(unit.device.type, enabled=False):
            nearest = (unit.float() @ self.bank.T).topk(self.config.neighbours, dim=-1).indices  # [batch, k]
        return torch.cat([self.neighbour(self.bank[nearest]), found], dim=1)

    def forward(
        self, embeddings: torch.Tensor, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Final hidden states for a prefix and the tokens behind it (teacher forcing).

        Args:
            embeddings: [batch, dim].
            tokens: [batch, new] compact ids, those of one or several targets (see `decoder.packing`).
            positions: [batch, new], each token's place within its target, from 0.
            mask: bool, broadcastable to [batch, 1, prefix + new, prefix + new].

        Returns:
            [batch, prefix + new, width], normalised; `logits` turns rows of it into scores.
        """
        prefix = self.config.prefix_length
        x = torch.cat(
            [
                self.prefix_vectors(embeddings) + self.positions[:prefix],
                self.tokens(tokens) + F.embedding(positions + prefix, self.positions),
            ],
            dim=1,
        )
        x = F.dropout(x, self.config.dropout, self.training)
        if (within := self._prefix_mask(mask.device)) is not None:
            mask = mask.clone()
            mask[..., :prefix, :prefix] = within
        for layer in self.layers:
            x, _ = layer(x, mask)
        found: torch.Tensor = self.norm(x)
        return found

    def start(self, embeddings: torch.Tensor) -> tuple[torch.Tensor, list[Cache]]:
        """First step of generation: logits [batch, vocabulary] of the first token, and the prefix's cache."""
        x = self.prefix_vectors(embeddings) + self.positions[: self.config.prefix_length]
        caches = []
        mask = self._prefix_mask(x.device)
        for layer in self.layers:
            x, cache = layer(x, mask)
            caches.append(cache)
        return self.logits(self.norm(x[:, -1])), caches

    def no_tokens(self, batch: int) -> list[Cache]:
        """What `step` has of its own at first: each [batch, 1, heads, 0, width / heads]."""
        heads = self.config.heads
        empty = self.tokens.weight.new_empty(batch, 1, heads, 0, self.config.width // heads)
        return [(empty, empty) for _ in self.layers]

    def step(
        self, tokens: torch.Tensor, place: int, prefix: list[Cache], own: list[Cache]
    ) -> tuple[torch.Tensor, list[Cache]]:
        """Next step: tokens [batch, live] at `place` (0 = first) -> logits [batch, live, vocabulary] of what follows.

        Args:
            prefix: as `start` gave it, shared by all live hypotheses of an embedding.
            own: of the tokens before these.
        """
        x = self.tokens(tokens) + self.positions[self.config.prefix_length + place]
        longer = []
        for layer, shared, before in zip(self.layers, prefix, own, strict=True):
            assert isinstance(layer, DecoderLayer)
            x, cache = layer.step(x, shared, before)
            longer.append(cache)
        return self.logits(self.norm(x)), longer

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """[..., width] -> [..., vocabulary]."""
        return F.linear(hidden, self.tokens.weight if self.output is None else self.output.weight)

    @property
    def parameter_count(self) -> int:
        """All weights; the tied matrix counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _prefix_mask(self, device: torch.device) -> torch.Tensor | None:
        """Who of the prefix may look at whom, bool [prefix, prefix]; None: each at all."""
        if not self.config.strictly_causal:
            return None
        prefix = self.config.prefix_length
        return torch.ones(prefix, prefix, dtype=torch.bool, device=device).tril()


Spread = tuple[float, float, float, float]  # standard deviations: qkv, attention out, feed-forward in, out


def _balanced_spread(config: DecoderConfig, hidden: int) -> Spread:
    """All residual branches together add variance 1 (appendix A)."""
    width, prefix = config.width, config.prefix_length
    attention_share = (2 * prefix - 1) / prefix**2  # variance left by averaging over the prefix
    return (
        width**-0.5,
        (2 * config.layers * width * attention_share) ** -0.5,
        width**-0.5,
        (2 * config.layers * hidden * _GELU_SECOND_MOMENT) ** -0.5,
    )


def _open_spread(config: DecoderConfig, _hidden: int) -> Spread:
    """As OpenCLIP's text tower; what adds to the residual stream is scaled down by its depth."""
    std, depth = config.width**-0.5, (2 * config.layers) ** -0.5
    return std, std * depth, (2 * config.width) ** -0.5, std * depth
