"""Reading nouns out of a decoder: beam search with a key/value cache, guided by the lexicon's token trie.

The end token always counts, also for nouns of the greatest length, so that scores of all nouns compare.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nounflow.config.generation import GenerationConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trie import ROOT, TokenTrie
from nounflow.decoder.vocabulary import END


@dataclass(frozen=True)
class Generated:
    """Finished hypotheses, best first; places without one hold score -inf."""

    tokens: torch.Tensor  # int64 [batch, k, max_tokens], END and padding as 0
    nouns: torch.Tensor  # int64 [batch, k], id in the lexicon, -1 if not a noun of it (unguided) or none
    scores: torch.Tensor  # float32 [batch, k], by which they are ranked: totals / length ** length_alpha
    totals: torch.Tensor  # float32 [batch, k], log-probability: sum over the tokens, the end token included


@dataclass
class _Live:
    """Unfinished hypotheses of all samples, in a row."""

    sample: torch.Tensor  # int64 [live]
    node: torch.Tensor  # int64 [live], trie node; unused when unguided
    tokens: torch.Tensor  # int64 [live, max_tokens]
    total: torch.Tensor  # float32 [live], log-probability so far

    def at(self, index: torch.Tensor) -> "_Live":
        """Those at some positions, int64 [n]."""
        return _Live(self.sample[index], self.node[index], self.tokens[index], self.total[index])


@torch.inference_mode()
def generate(model: ObjectDecoder, embeddings: torch.Tensor, trie: TokenTrie, config: GenerationConfig) -> Generated:
    """The `beam_width` likeliest nouns of each embedding [batch, dim].

    guided "plain" keeps the model's own probabilities and drops what leaves the lexicon, so the probabilities
    of a sample sum to at most 1; "renorm" normalises over the tokens that stay inside; "none" lets any token
    follow and marks what is not a noun of the lexicon with -1.
    """
    model.eval()
    batch, width = len(embeddings), config.beam_width
    device = embeddings.device
    done = _nothing(batch, width, model.max_tokens, device)
    live = _Live(
        sample=torch.arange(batch, device=device),
        node=torch.full((batch,), ROOT, device=device),
        tokens=torch.zeros(batch, model.max_tokens, dtype=torch.int64, device=device),
        total=torch.zeros(batch, device=device),
    )
    logits, caches = model.start(embeddings)
    for place in range(model.max_tokens):
        last = place == model.max_tokens - 1  # only END may follow a noun of the greatest length
        candidates, parent = _expand(logits.float() / config.temperature, live, trie, config, place, last)
        done = _finish(done, candidates, trie, config, place)
        kept = _going_on(candidates, done, config, place)
        live, parent = candidates.at(kept), parent[kept]
        if last or len(kept) == 0:
            break
        caches = [(key.index_select(0, parent), value.index_select(0, parent)) for key, value in caches]
        logits, caches = model.step(live.tokens[:, place], place, caches)
    return done


def _nothing(batch: int, width: int, max_tokens: int, device: torch.device) -> Generated:
    return Generated(
        tokens=torch.zeros(batch, width, max_tokens, dtype=torch.int64, device=device),
        nouns=torch.full((batch, width), -1, dtype=torch.int64, device=device),
        scores=torch.full((batch, width), -torch.inf, device=device),
        totals=torch.full((batch, width), -torch.inf, device=device),
    )


def _expand(
    logits: torch.Tensor, live: _Live, trie: TokenTrie, config: GenerationConfig, place: int, last: bool
) -> tuple[_Live, torch.Tensor]:
    """One-token extensions of the live hypotheses, and the position of each one's parent among these, int64 [n]."""
    if config.guided == "none":
        scores = F.log_softmax(logits, dim=-1)
        if place == 0:
            scores[:, END] = -torch.inf  # an empty noun is no answer
        if last:
            parent = torch.arange(len(live.sample), device=logits.device)
            token = torch.full_like(parent, END)
        else:
            top = scores.topk(min(config.beam_width + 1, scores.shape[-1]), dim=-1).indices
            parent = torch.arange(len(top), device=logits.device).repeat_interleave(top.shape[1])
            token = top.reshape(-1)
        step = scores[parent, token]
        node = torch.full_like(parent, ROOT)
    else:
        parent, edge = trie.children(live.node)
        token, node = trie.child_token[edge], trie.child_node[edge]
        if config.guided == "plain":
            step = F.log_softmax(logits, dim=-1)[parent, token]
        else:
            chosen = logits[parent, token]
            top = torch.full_like(logits[:, 0], -torch.inf).scatter_reduce_(0, parent, chosen, "amax")
            sums = torch.zeros_like(top).index_add_(0, parent, (chosen - top[parent]).exp())
            step = chosen - top[parent] - sums.log()[parent]
    tokens = live.tokens[parent]
    tokens[:, place] = token
    return _Live(live.sample[parent], node, tokens, live.total[parent] + step), parent


def _finish(done: Generated, candidates: _Live, trie: TokenTrie, config: GenerationConfig, place: int) -> Generated:
    """Merge the candidates that ended into the finished ones, k best a sample."""
    ended = candidates.at((candidates.tokens[:, place] == END).nonzero()[:, 0])
    if len(ended.sample) == 0:
        return done
    nouns = trie.noun[ended.node] if config.guided != "none" else _lookup(trie, ended.tokens)
    scores = ended.total / (place + 1) ** config.length_alpha
    batch, width, max_tokens = done.tokens.shape
    order, rank = _ranked(ended.sample, scores, width)
    new, where = _nothing(batch, width, max_tokens, scores.device), (ended.sample[order], rank)
    new.tokens[where], new.nouns[where] = ended.tokens[order], nouns[order]
    new.scores[where], new.totals[where] = scores[order], ended.total[order]
    best, order = torch.cat([done.scores, new.scores], 1).topk(width, dim=1)
    rows = torch.arange(batch, device=best.device)[:, None]
    return Generated(
        tokens=torch.cat([done.tokens, new.tokens], 1)[rows, order],
        nouns=torch.cat([done.nouns, new.nouns], 1)[rows, order],
        scores=best,
        totals=torch.cat([done.totals, new.totals], 1)[rows, order],
    )


def _going_on(candidates: _Live, done: Generated, config: GenerationConfig, place: int) -> torch.Tensor:
    """Positions of the best `beam_width` unfinished candidates of each sample that can still enter its finished k."""
    going = candidates.tokens[:, place] != END
    if config.length_alpha == 0:  # totals only fall, so what is already behind the k-th finished one is lost
        going &= candidates.total > done.scores[candidates.sample, -1]
    index = going.nonzero()[:, 0]
    order, _rank = _ranked(candidates.sample[index], candidates.total[index], config.beam_width)
    return index[order]


def _ranked(sample: torch.Tensor, score: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of each sample's `width` best, sorted by sample, then best first; and their ranks within it."""
    order = score.argsort(descending=True, stable=True)
    order = order[sample[order].argsort(stable=True)]
    sample = sample[order]
    first = torch.searchsorted(sample, sample)  # position where each sample's run begins
    rank = torch.arange(len(sample), device=sample.device) - first
    kept = rank < width
    return order[kept], rank[kept]


def _lookup(trie: TokenTrie, tokens: torch.Tensor) -> torch.Tensor:
    """Ids of the nouns that token rows [n, max_tokens] spell, -1 where they spell none."""
    found = []
    for row in tokens.tolist():
        node = ROOT
        for token in [*row[: row.index(END) if END in row else len(row)], END]:
            start, stop = int(trie.child_start[node]), int(trie.child_start[node + 1])
            edges = trie.child_token[start:stop].tolist()
            if token not in edges:
                node = -1
                break
            node = int(trie.child_node[start + edges.index(token)])
        found.append(int(trie.noun[node]) if node >= 0 else -1)
    return torch.tensor(found, dtype=torch.int64, device=tokens.device)
