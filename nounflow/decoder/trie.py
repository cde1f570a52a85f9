"""A list of nouns as a token trie, so that guided decoding costs follow a node's children, not the list's length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from nounflow.decoder.vocabulary import END, TargetVocabulary

ROOT = 0
_UNUSED = -1  # behind the end of a noun, below every token


@dataclass(frozen=True)
class TokenTrie:
    """Nodes in CSR form, level by level. The children of node n are entries child_start[n] : child_start[n + 1]."""

    child_start: torch.Tensor  # int64 [nodes + 1]
    child_token: torch.Tensor  # int64 [edges], ascending within a node; END comes first
    child_node: torch.Tensor  # int64 [edges]
    noun: torch.Tensor  # int64 [nodes], number of the noun that ends here, else -1
    below: torch.Tensor  # int64 [nodes], nouns that pass through a node
    depth: int  # tokens of the longest noun, END included

    @classmethod
    def build(cls, vocabulary: TargetVocabulary, nouns: np.ndarray | None = None) -> TokenTrie:
        """Trie of all nouns, or only of those with the ids `nouns`, int64 [chosen]."""
        chosen = np.arange(len(vocabulary.nouns)) if nouns is None else np.unique(nouns)
        return cls.of_rows(vocabulary.tokens[chosen], vocabulary.lengths[chosen], chosen)

    @classmethod
    def of_rows(cls, tokens: np.ndarray, lengths: np.ndarray, numbers: np.ndarray) -> TokenTrie:
        """Trie of distinct token rows.

        Args:
            tokens: int64 [n, longest], compact ids; what stands behind a row's length counts as END.
            lengths: int64 [n], tokens of each row, without END.
            numbers: int64 [n], what `noun` says where a row ends.
        """
        depth = int(lengths.max(initial=0)) + 1
        place = np.arange(depth)
        rows = np.full((len(tokens), depth), END, dtype=np.int64)  # each with one END behind it
        rows[:, : tokens.shape[1]] = tokens[:, :depth]
        rows[place >= lengths[:, None]] = END
        rows[place > lengths[:, None]] = _UNUSED
        order = np.lexsort(rows.T[::-1])
        rows, ends = rows[order], lengths[order]
        differs = np.ones(rows.shape, dtype=bool)  # from the row before, here or further left
        differs[1:] = np.maximum.accumulate(rows[1:] != rows[:-1], axis=1)
        counts, parents, child_tokens = [1], [], []
        above = np.zeros(len(rows), dtype=np.int64)  # each row's node one level up, numbered over all levels
        nodes = np.full(rows.shape, ROOT, dtype=np.int64)
        for level in place:
            here = ends >= level
            new = differs[:, level] & here
            nodes[:, level] = sum(counts) + np.cumsum(new) - 1
            parents.append(above[new])
            child_tokens.append(rows[new, level])
            counts.append(int(new.sum()))
            above = nodes[:, level]
        total = sum(counts)
        noun = np.full(total, -1, dtype=np.int64)
        noun[nodes[np.arange(len(rows)), ends]] = numbers[order]
        below = np.bincount(nodes[place <= ends[:, None]], minlength=total)
        below[ROOT] = len(rows)
        degrees = np.bincount(np.concatenate(parents), minlength=total) if len(rows) else np.zeros(total, dtype=int)
        return cls(
            child_start=torch.from_numpy(np.concatenate([[0], np.cumsum(degrees)])),
            child_token=torch.from_numpy(np.concatenate([*child_tokens, np.zeros(0, dtype=np.int64)])),
            child_node=torch.arange(1, total),  # level by level, each level in the order of its parents
            noun=torch.from_numpy(noun),
            below=torch.from_numpy(below),
            depth=depth,
        )

    def to(self, device: str | torch.device) -> TokenTrie:
        """The same trie on a device."""
        names = ("child_start", "child_token", "child_node", "noun", "below")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def children(self, nodes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All edges below `nodes` [n]: (position in `nodes`, edge number), both [edges of these nodes]."""
        start = self.child_start[nodes]
        degree = self.child_start[nodes + 1] - start
        parent = torch.repeat_interleave(torch.arange(len(nodes), device=nodes.device), degree)
        first = torch.cumsum(degree, 0) - degree
        edge = torch.arange(len(parent), device=nodes.device) - first[parent] + start[parent]
        return parent, edge

    def parents(self) -> torch.Tensor:
        """The node above each edge, int64 [edges]."""
        nodes = torch.arange(len(self.noun), device=self.noun.device)
        return torch.repeat_interleave(nodes, self.child_start.diff())

    def edges(self, nodes: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The edge from each of `nodes` [n] by each of `tokens` [n]; -1 where there is none, and for node -1."""
        if len(self.child_token) == 0:
            return torch.full_like(nodes, -1)
        size = int(self.child_token.max()) + 1
        keys = self.parents() * size + self.child_token  # ascending: parents are, and the tokens of each
        wanted = nodes * size + tokens
        edge = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        return torch.where((nodes >= 0) & (tokens < size) & (keys[edge] == wanted), edge, -1)

    def find(self, tokens: torch.Tensor) -> torch.Tensor:
        """Numbers of the nouns that token rows [n, longest] spell up to their first END, int64 [n]; -1 for none."""
        node = torch.full_like(tokens[:, 0], ROOT)
        found = torch.full_like(node, -1)
        for column in tokens.T:
            edge = self.edges(node, column)
            node = torch.where(edge >= 0, self.child_node[edge.clamp(min=0)], -1)
            found = torch.where((column == END) & (node >= 0), self.noun[node.clamp(min=0)], found)
            node = torch.where(column == END, -1, node)
        return found

    def log_prior(self, kind: Literal["tgt", "tok"]) -> torch.Tensor:
        """Log-probability of each edge, float32 [edges], were all nouns alike (tgt) or a node's tokens alike (tok).

        tgt: the share of a node's nouns that go on so. tok: one over the number of tokens that may follow.
        """
        parent = self.parents()
        if kind == "tok":
            return -self.child_start.diff()[parent].float().log()
        return self.below[self.child_node].float().log() - self.below[parent].float().log()
