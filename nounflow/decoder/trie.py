"""The lexicon as a token trie, so that guided decoding costs follow a node's children, not the dictionary's size."""

from dataclasses import dataclass

import numpy as np
import torch

from nounflow.decoder.vocabulary import END, TargetVocabulary

ROOT = 0


@dataclass(frozen=True)
class TokenTrie:
    """Nodes in CSR form. The children of node n are entries child_start[n] : child_start[n + 1]."""

    child_start: torch.Tensor  # int64 [nodes + 1]
    child_token: torch.Tensor  # int64 [edges], ascending within a node; END comes first
    child_node: torch.Tensor  # int64 [edges]
    noun: torch.Tensor  # int64 [nodes], id of the noun that ends here, else -1

    @classmethod
    def build(cls, vocabulary: TargetVocabulary, nouns: np.ndarray | None = None) -> "TokenTrie":
        """Trie of all nouns, or only of those with the ids `nouns`, int64 [chosen]."""
        children: list[dict[int, int]] = [{}]
        noun_of_node = [-1]
        for noun in range(len(vocabulary.nouns)) if nouns is None else nouns.tolist():
            node = ROOT
            for token in [*vocabulary.tokens[noun, : vocabulary.lengths[noun]].tolist(), END]:
                following = children[node].get(token)
                if following is None:
                    following = len(children)
                    children[node][token] = following
                    children.append({})
                    noun_of_node.append(-1)
                node = following
            noun_of_node[node] = noun
        degrees = [len(edges) for edges in children]
        edges = [edge for node in children for edge in sorted(node.items())]
        flat = np.array(edges, dtype=np.int64).reshape(-1, 2)
        return cls(
            child_start=torch.from_numpy(np.concatenate([[0], np.cumsum(degrees, dtype=np.int64)])),
            child_token=torch.from_numpy(flat[:, 0].copy()),
            child_node=torch.from_numpy(flat[:, 1].copy()),
            noun=torch.tensor(noun_of_node),
        )

    def to(self, device: str | torch.device) -> "TokenTrie":
        """The same trie on a device."""
        return TokenTrie(*(part.to(device) for part in vars(self).values()))

    def children(self, nodes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All edges below `nodes` [n]: (position in `nodes`, edge number), both [edges of these nodes]."""
        start = self.child_start[nodes]
        degree = self.child_start[nodes + 1] - start
        parent = torch.repeat_interleave(torch.arange(len(nodes), device=nodes.device), degree)
        first = torch.cumsum(degree, 0) - degree
        edge = torch.arange(len(parent), device=nodes.device) - first[parent] + start[parent]
        return parent, edge
