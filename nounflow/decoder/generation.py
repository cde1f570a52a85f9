"""Reading nouns out of a decoder: beam search with a key/value cache, guided by the lexicon's token trie.

The end token always counts, also for nouns of the greatest length, so that scores of all nouns compare.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nounflow.config.generation import GenerationConfig
from nounflow.decoder.model import Cache, ObjectDecoder
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
    done = Generated(
        tokens=torch.zeros(batch, width, model.max_tokens, dtype=torch.int64, device=device),
        nouns=torch.full((batch, width), -1, dtype=torch.int64, device=device),
        scores=torch.full((batch, width), -torch.inf, device=device),
        totals=torch.full((batch, width), -torch.inf, device=device),
    )
    live = _Live(
        sample=torch.arange(batch, device=device),
        node=torch.full((batch,), ROOT, device=device),
        tokens=torch.zeros(batch, model.max_tokens, dtype=torch.int64, device=device),
        total=torch.zeros(batch, device=device),
    )
    logits, caches = model.start(embeddings)
    for place in range(model.max_tokens):
        last = place == model.max_tokens - 1  # only END may follow a noun of the greatest length
        candidates = _expand(logits.float() / config.temperature, live, trie, config, place, last)
        done = _finish(done, candidates, trie, config, place)
        live, parent = _keep(candidates, done, config, place)
        if last or len(live.sample) == 0:
            break
        caches = _select(caches, parent)
        logits, caches = model.step(live.tokens[:, place], place, caches)
    return done


@dataclass
class _Candidates:
    """One-token extensions of the live hypotheses."""

    parent: torch.Tensor  # int64 [n], position among the live hypotheses
    sample: torch.Tensor
    node: torch.Tensor
    tokens: torch.Tensor  # int64 [n, max_tokens], the new token in place
    token: torch.Tensor  # int64 [n]
    total: torch.Tensor


def _expand(
    logits: torch.Tensor, live: _Live, trie: TokenTrie, config: GenerationConfig, place: int, last: bool
) -> _Candidates:
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
    return _Candidates(parent, live.sample[parent], node, tokens, token, live.total[parent] + step)


def _finish(
    done: Generated, candidates: _Candidates, trie: TokenTrie, config: GenerationConfig, place: int
) -> Generated:
    """Merge the candidates that ended into the finished ones, k best a sample."""
    ended = (candidates.token == END).nonzero()[:, 0]
    if len(ended) == 0:
        return done
    batch, width = done.scores.shape
    sample, total = candidates.sample[ended], candidates.total[ended]
    score = total / (place + 1) ** config.length_alpha
    nouns = trie.noun[candidates.node[ended]] if config.guided != "none" else _lookup(trie, candidates.tokens[ended])
    order, rank = _ranked(sample, score, width)
    ended, sample, score, total, nouns = ended[order], sample[order], score[order], total[order], nouns[order]
    new_scores, new_totals = (torch.full_like(done.scores, -torch.inf) for _ in range(2))
    new_nouns = torch.full_like(done.nouns, -1)
    new_tokens = torch.zeros_like(done.tokens)
    new_scores[sample, rank], new_totals[sample, rank], new_nouns[sample, rank] = score, total, nouns
    new_tokens[sample, rank] = candidates.tokens[ended]
    scores, order = torch.cat([done.scores, new_scores], 1).topk(width, dim=1)
    rows = torch.arange(batch, device=scores.device)[:, None]
    return Generated(
        tokens=torch.cat([done.tokens, new_tokens], 1)[rows, order],
        nouns=torch.cat([done.nouns, new_nouns], 1)[rows, order],
        scores=scores,
        totals=torch.cat([done.totals, new_totals], 1)[rows, order],
    )


def _keep(candidates: _Candidates, done: Generated, config: GenerationConfig, place: int) -> tuple[_Live, torch.Tensor]:
    """The best `beam_width` unfinished candidates of each sample that can still enter its finished k."""
    going = candidates.token != END
    if config.length_alpha == 0:  # totals only fall, so what is already behind the k-th finished one is lost
        going &= candidates.total > done.scores[candidates.sample, -1]
    index = going.nonzero()[:, 0]
    order, _rank = _ranked(candidates.sample[index], candidates.total[index], config.beam_width)
    index = index[order]
    live = _Live(candidates.sample[index], candidates.node[index], candidates.tokens[index], candidates.total[index])
    return live, candidates.parent[index]


def _ranked(sample: torch.Tensor, score: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of each sample's `width` best, sorted by sample, then best first; and their ranks within it."""
    order = score.argsort(descending=True, stable=True)
    order = order[sample[order].argsort(stable=True)]
    sample = sample[order]
    first = torch.searchsorted(sample, sample)  # position where each sample's run begins
    rank = torch.arange(len(sample), device=sample.device) - first
    kept = rank < width
    return order[kept], rank[kept]


def _select(caches: list[Cache], parent: torch.Tensor) -> list[Cache]:
    return [(key.index_select(0, parent), value.index_select(0, parent)) for key, value in caches]


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
