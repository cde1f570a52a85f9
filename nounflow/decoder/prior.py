"""Vocabulary priors: what ranking takes off for tokens that many nouns, or few, would have chosen anyway."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nounflow.config.generation import Prior
from nounflow.decoder.trie import ROOT, TokenTrie


@dataclass(frozen=True)
class NodeBonus:
    """What a prior adds to the log-probability of a hypothesis that stands at a node of the guiding trie."""

    here: torch.Tensor  # float32 [nodes], the sum from the root; -inf where the vocabulary has no such noun
    at_best: torch.Tensor  # float32 [nodes], the largest sum at the end of any noun below


def node_bonus(trie: TokenTrie, vocabulary: TokenTrie, kind: Prior, scale: float) -> NodeBonus | None:
    """-`scale` times the log-prior of each node's tokens, counted over `vocabulary`; None where there is no prior."""
    if kind == "none" or scale == 0:
        return None
    followed = _followed(trie, vocabulary)
    known = followed >= 0
    step = torch.where(known, -scale * vocabulary.log_prior(kind)[followed.clamp(min=0)], -torch.inf)
    parent = trie.parents()
    here = torch.zeros(len(trie.noun), device=step.device)
    for _ in range(trie.depth):  # one level settles with each pass
        here = here.index_copy(0, trie.child_node, here[parent] + step)
    at_best = torch.where(trie.noun >= 0, here, -torch.inf)
    for _ in range(trie.depth):
        at_best = at_best.scatter_reduce(0, parent, at_best[trie.child_node], "amax")
    return NodeBonus(here, at_best)


def _followed(trie: TokenTrie, vocabulary: TokenTrie) -> torch.Tensor:
    """The edge of `vocabulary` that each edge of `trie` follows, int64 [edges]; -1 where there is none."""
    parent = trie.parents()
    node = torch.full_like(trie.noun, -1)
    node[ROOT] = ROOT
    edges = torch.full_like(trie.child_token, -1)
    for _ in range(trie.depth):
        edges = vocabulary.edges(node[parent], trie.child_token)
        following = torch.where(edges >= 0, vocabulary.child_node[edges.clamp(min=0)], -1)
        node = node.index_copy(0, trie.child_node, following)
    return edges
