"""Reading nouns out of a decoder: beam, greedy and exact search with a key/value cache, guided by a token trie.

The end token always counts, also for nouns of the greatest length, so that scores of all nouns compare.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from nounflow.config.generation import GenerationConfig
from nounflow.decoder.candidates import Candidates, guided_candidates, unguided_candidates
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.prior import NodeBonus, node_bonus
from nounflow.decoder.trie import ROOT, TokenTrie

_WIDER = 4  # by which an exact search that is not settled widens its beam
_AT_ONCE = 1 << 12  # hypotheses that a widened search holds


@dataclass(frozen=True)
class Generated:
    """Finished hypotheses, best first; places without one hold score -inf."""

    tokens: torch.Tensor  # int64 [batch, k, max_tokens], END and padding as 0
    nouns: torch.Tensor  # int64 [batch, k], number in the guiding list, -1 if not of it (unguided) or none
    scores: torch.Tensor  # float32 [batch, k], by which they are ranked: (totals + prior) / length ** length_alpha
    totals: torch.Tensor  # float32 [batch, k], log-probability: sum over the tokens, the end token included
    settled: torch.Tensor  # bool [batch]: nothing that was left aside could stand among these


@torch.inference_mode()
def generate(
    model: ObjectDecoder,
    embeddings: torch.Tensor,
    trie: TokenTrie,
    config: GenerationConfig,
    vocabulary: TokenTrie | None = None,
) -> Generated:
    """The `beam_width` likeliest nouns of each embedding [batch, dim].

    guided "plain" keeps the model's own probabilities and drops what leaves the list, so the probabilities
    of a sample sum to at most 1; "renorm" normalises over the tokens that stay inside; "none" lets any token
    follow and marks what is not a noun of the list with -1.

    The exact method repeats the search with a wider beam for those embeddings whose answer is not yet proved.

    Args:
        trie: the list that guides.
        vocabulary: the nouns over which `prior` is counted; None: those of `trie`.
    """
    model.eval()
    bonus = node_bonus(trie, vocabulary or trie, config.prior, config.prior_scale)
    found = _beam(model, embeddings, trie, config, bonus, config.beam_width)
    width = config.beam_width
    while config.method == "exact" and not bool(found.settled.all()):
        width *= _WIDER
        for rows in (~found.settled).nonzero()[:, 0].split(max(1, _AT_ONCE // width)):
            wider = _beam(model, embeddings[rows], trie, config, bonus, width)
            for field in fields(Generated):
                getattr(found, field.name)[rows] = getattr(wider, field.name)
    return found


def _beam(
    model: ObjectDecoder,
    embeddings: torch.Tensor,
    trie: TokenTrie,
    config: GenerationConfig,
    bonus: NodeBonus | None,
    width: int,
) -> Generated:
    """The `beam_width` best nouns that a search of `width` unfinished hypotheses an embedding finds."""
    batch, top, device = len(embeddings), config.beam_width, embeddings.device
    done = Generated(
        tokens=torch.zeros(batch, top, model.max_tokens, dtype=torch.int64, device=device),
        nouns=torch.full((batch, top), -1, dtype=torch.int64, device=device),
        scores=torch.full((batch, top), -torch.inf, device=device),
        totals=torch.full((batch, top), -torch.inf, device=device),
        settled=torch.ones(batch, dtype=torch.bool, device=device),
    )
    left_aside = torch.full((batch,), -torch.inf, device=device)  # the best score that what was dropped could reach
    node = torch.full((batch, 1), ROOT, device=device)
    tokens = torch.zeros(batch, 1, model.max_tokens, dtype=torch.int64, device=device)
    total = torch.zeros(batch, 1, device=device)
    logits, prefix = model.start(embeddings)
    logits, own = logits[:, None], model.no_tokens(batch)
    for place in range(model.max_tokens):
        last = place == model.max_tokens - 1  # only END may follow a noun of the greatest length
        scaled = logits.float() / config.temperature
        if config.guided == "none" and bonus is None:
            found = unguided_candidates(scaled, total, width + 1, first=place == 0)
        else:
            found = guided_candidates(scaled, total, node, trie, bonus, width + 1, renorm=config.guided == "renorm")
        if config.method == "greedy":
            found = found.likeliest()
        done = _finish(done, found, tokens, trie, bonus, place, config.length_alpha)
        if last or found.total.shape[1] == 0:
            break
        best = found.total if bonus is None else found.total + bonus.at_best[found.node]
        reach = _reach(best, place, model.max_tokens, config.length_alpha)
        reach = torch.where(reach > done.scores[:, -1:], reach, -torch.inf)  # else it can enter the best no more
        if found.beyond is not None:
            others = _reach(found.beyond, place, model.max_tokens, config.length_alpha)
            left_aside = torch.maximum(left_aside, others)
        elif reach.shape[1] > width:
            left_aside = torch.maximum(left_aside, reach[:, width:].amax(1))
        used = (reach[:, :width] > -torch.inf).any(0).nonzero()
        if len(used) == 0:
            break
        alive = int(used.max()) + 1  # columns up to the last one in use
        parent, token, node = found.parent[:, :alive], found.token[:, :alive], found.node[:, :alive]
        total = torch.where(reach[:, :alive] > -torch.inf, found.total[:, :alive], -torch.inf)
        rows = torch.arange(batch, device=device)[:, None]
        tokens = tokens[rows, parent]
        tokens[:, :, place] = token
        own = [(key[rows, parent], value[rows, parent]) for key, value in own]
        logits, own = model.step(token, place, prefix, own)
    if config.guided == "none":
        nouns = trie.find(done.tokens.flatten(0, 1)).view_as(done.nouns)
        done.nouns[:] = torch.where(done.scores > -torch.inf, nouns, -1)
    done.settled[:] = left_aside <= done.scores[:, -1]
    return done


def _finish(
    done: Generated,
    found: Candidates,
    tokens: torch.Tensor,
    trie: TokenTrie,
    bonus: NodeBonus | None,
    place: int,
    alpha: float,
) -> Generated:
    """Merge the hypotheses [batch, live] that end here into the finished ones."""
    ranked = found.ended if bonus is None else found.ended + bonus.here[found.end_node]
    nouns = torch.where(ranked > -torch.inf, trie.noun[found.end_node], -1)
    scores = torch.cat([done.scores, ranked / (place + 1) ** alpha], 1)
    scores, order = scores.topk(done.scores.shape[1], dim=1)
    rows = torch.arange(len(order), device=order.device)[:, None]
    return Generated(
        tokens=torch.cat([done.tokens, tokens], 1)[rows, order],
        nouns=torch.cat([done.nouns, nouns], 1)[rows, order],
        scores=scores,
        totals=torch.cat([done.totals, found.ended], 1)[rows, order],
        settled=done.settled,
    )


def _reach(best: torch.Tensor, place: int, longest: int, alpha: float) -> torch.Tensor:
    """The best score that unfinished candidates could end with: totals only fall, lengths only grow."""
    far = (best <= 0) == (alpha >= 0)  # whether a longer noun would rank higher
    return best / torch.where(far, float(longest), float(place + 2)) ** alpha
