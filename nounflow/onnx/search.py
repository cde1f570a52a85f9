"""Beam and greedy search guided by a token trie, in NumPy: `decoder.generation` where there is no PyTorch.

The same answers for the settings that both know: guided "plain" or "renorm", no prior. The exact search is left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from nounflow.config.generation import GenerationConfig
from nounflow.decoder.vocabulary import END

Cache: TypeAlias = tuple[np.ndarray, ...]  # keys and values, [batch, live, ...] each
Step: TypeAlias = Callable[[np.ndarray, Cache | None], tuple[np.ndarray, Cache]]
"""Tokens [batch, live] and the cache before them -> log-probabilities [batch, live, vocabulary], longer cache; without
a cache, those of the first token."""
_ROOT = 0


class Trie:
    """Nouns as a token trie; every noun ends with END."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        """
        Args:
            rows: tokens of each noun, without END.
        """
        below: list[dict[int, int]] = [{}]
        self.noun = [-1]  # of each node: number of the noun that ends there
        for number, row in enumerate(rows):
            node = _ROOT
            for token in (*row, END):
                if token not in below[node]:
                    below[node][token] = len(below)
                    below.append({})
                    self.noun.append(-1)
                node = below[node][token]
            self.noun[node] = number
        self.longest = max(map(len, rows), default=0) + 1
        self._below = below
        self._children: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def children(self, node: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens that may follow at a node, and the nodes to which they lead, int64 [children] each."""
        if node not in self._children:
            found = self._below[node]
            self._children[node] = (np.fromiter(found.keys(), np.int64), np.fromiter(found.values(), np.int64))
        return self._children[node]


def search(
    step: Step, batch: int, trie: Trie, config: GenerationConfig, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The `width` likeliest nouns that the search finds for each of `batch` embeddings, best first.

    Returns:
        their numbers in the trie, int64 [batch, width], -1 where there are fewer; scores, by which they are ranked, and
        log-probabilities, float32 each, then -inf.
    """
    finished: list[list[tuple[float, float, int]]] = [[] for _ in range(batch)]
    live = [(np.array([_ROOT]), np.zeros(1))] * batch  # nodes and log-probabilities of what is not finished
    found, cache = step(np.zeros((batch, 1), dtype=np.int64), None)
    for place in range(trie.longest):
        going = []
        for sample, (nodes, totals) in enumerate(live):
            parent, token, node, total = _longer(trie, nodes, totals, found[sample], config)
            if config.method == "greedy" and len(total):
                parent, token, node, total = (part[[total.argmax()]] for part in (parent, token, node, total))
            score = total / (place + 1) ** config.length_alpha
            ended = np.flatnonzero(token == END)
            ends = zip(score[ended].tolist(), total[ended].tolist(), node[ended].tolist(), strict=True)
            best = finished[sample] = heapq.nlargest(width, [*finished[sample], *ends])
            # what no longer noun could reach is dropped: totals only fall
            reach = total / (trie.longest if config.length_alpha >= 0 else place + 2) ** config.length_alpha
            least = best[-1][0] if len(best) == width else -np.inf
            keep = np.flatnonzero((token != END) & (reach > least))
            if len(keep) > width:
                keep = keep[np.argpartition(-total[keep], width - 1)[:width]]
            going.append((parent[keep], token[keep], node[keep], total[keep]))
        live = [(node, total) for _, _, node, total in going]
        if not (most := max((len(node) for node, _ in live), default=0)):
            break
        parents, tokens = (np.zeros((batch, most), dtype=np.int64) for _ in range(2))  # filled up with idle rows
        for sample, (parent, token, _, _) in enumerate(going):
            parents[sample, : len(parent)], tokens[sample, : len(token)] = parent, token
        rows = np.arange(batch)[:, None]
        found, cache = step(tokens, tuple(part[rows, parents] for part in cache))
    numbers = np.full((batch, width), -1, dtype=np.int64)
    ranked = np.full((2, batch, width), -np.inf, dtype=np.float32)  # scores, log-probabilities
    for sample, best in enumerate(finished):
        for place, (one, log_probability, end) in enumerate(best):
            numbers[sample, place], ranked[:, sample, place] = trie.noun[end], (one, log_probability)
    return numbers, ranked[0], ranked[1]


def _longer(
    trie: Trie, nodes: np.ndarray, totals: np.ndarray, found: np.ndarray, config: GenerationConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All that may follow hypotheses [live] after log-probabilities [live, vocabulary]: parent, token, node, total."""
    parts = []
    for parent, (node, total) in enumerate(zip(nodes.tolist(), totals.tolist(), strict=True)):
        tokens, following = trie.children(node)
        values = found[parent, tokens].astype(np.float64) / config.temperature
        if config.guided == "renorm":
            values -= np.logaddexp.reduce(values)
        elif config.temperature != 1:
            values -= np.logaddexp.reduce(found[parent].astype(np.float64) / config.temperature)
        parts.append((np.full(len(tokens), parent), tokens, following, total + values))
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    parents, tokens, following, sums = (np.concatenate(column) for column in zip(*parts, strict=True))
    return parents, tokens, following, sums
