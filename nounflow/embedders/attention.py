"""Attention over short rows, written out."""

import torch
from torch import Tensor


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, tokens, width] -> [batch * heads, tokens, width / heads]."""
    batch, tokens, width = x.shape
    return x.view(batch, tokens, heads, width // heads).transpose(1, 2).reshape(batch * heads, tokens, width // heads)


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, blocked: Tensor | None) -> Tensor:
    """Attention of q [batch * heads, queries, size] over k and v [batch * heads, tokens, size].

    `blocked` [batch or 1, 1, queries or 1, tokens] is True where a query may not look. Returns
    [batch, queries, heads * size]. Spelled out for the CPU, where torch's fused attention and softmax take three
    times as long on rows of some ten tokens; in place, so that only the fused one is open to gradients.
    """
    rows, queries, size = q.shape
    batch = rows // heads
    if q.device.type != "cpu" or q.requires_grad:
        asked, keys, values = (part.view(batch, heads, -1, size) for part in (q, k, v))
        mask = None if blocked is None else ~blocked
        attended = torch.nn.functional.scaled_dot_product_attention(asked, keys, values, attn_mask=mask)
    else:
        scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(size**-0.5)  # [batch * heads, queries, tokens]
        if blocked is not None:
            scores.view(batch, heads, queries, -1).masked_fill_(blocked, float("-inf"))
        odds = torch.exp_(scores.sub_(scores.amax(-1, keepdim=True)))
        attended = torch.bmm(odds.div_(odds.sum(-1, keepdim=True)).to(v.dtype), v)
    return attended.view(batch, heads, queries, size).transpose(1, 2).reshape(batch, queries, heads * size)
