"""One step of a search: what may follow each unfinished hypothesis, and how probable that makes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from nounflow.decoder.prior import NodeBonus
from nounflow.decoder.trie import ROOT, TokenTrie
from nounflow.decoder.vocabulary import END


@dataclass(frozen=True)
class Candidates:
    """Hypotheses one token longer, best first; places without one have total -inf."""

    parent: torch.Tensor  # int64 [batch, n], which live hypothesis it continues
    token: torch.Tensor  # int64 [batch, n], never END
    node: torch.Tensor  # int64 [batch, n], where it stands in the guiding trie; ROOT when unguided
    total: torch.Tensor  # float32 [batch, n], log-probability so far
    ended: torch.Tensor  # float32 [batch, live], log-probability of each live hypothesis as a whole noun, else -inf
    end_node: torch.Tensor  # int64 [batch, live], the trie's node for that
    beyond: torch.Tensor | None = None  # float32 [batch], under a prior: with it, the most that all others could reach

    def likeliest(self) -> Candidates:
        """Only the best of each sample, ended or not: greedy search."""
        best = self.total[:, :1] if self.total.shape[1] else torch.full_like(self.ended[:, :1], -torch.inf)
        ends = self.ended >= best
        total = torch.where(ends.any(1, keepdim=True), -torch.inf, self.total[:, :1])
        shortened = replace(self, parent=self.parent[:, :1], token=self.token[:, :1], node=self.node[:, :1])
        return replace(shortened, total=total, ended=torch.where(ends, self.ended, -torch.inf))


def guided_candidates(
    logits: torch.Tensor,
    total: torch.Tensor,
    node: torch.Tensor,
    trie: TokenTrie,
    bonus: NodeBonus | None,
    most: int,
    *,
    renorm: bool,
) -> Candidates:
    """The `most` best that stay in the trie, the last of them to tell what is left aside.

    Args:
        logits: float32 [batch, live, vocabulary].
        total: float32 [batch, live], -inf where there is no hypothesis.
        node: int64 [batch, live].
        renorm: normalise over the node's tokens; else over all.
    """
    batch, live, size = logits.shape
    rows = (total.flatten() > -torch.inf).nonzero()[:, 0]  # of [batch * live]
    which, edge = trie.children(node.flatten()[rows])
    row, token, following = rows[which], trie.child_token[edge], trie.child_node[edge]
    chosen = logits.view(-1, size)[row, token]  # [edges]
    if renorm:
        top = torch.full((batch * live,), -torch.inf, device=logits.device).scatter_reduce(0, row, chosen, "amax")
        sums = torch.zeros_like(top).index_add_(0, row, (chosen - top[row]).exp())
        norm = top + sums.log()
    else:
        norm = logits.logsumexp(-1).flatten()
    value = total.flatten()[row] + chosen - norm[row]
    ends = token == END
    ended = torch.full_like(total, -torch.inf)
    end_node = torch.full_like(node, ROOT)
    ended.view(-1)[row[ends]], end_node.view(-1)[row[ends]] = value[ends], following[ends]
    goes = (~ends).nonzero()[:, 0]
    row, token, following, value = row[goes], token[goes], following[goes], value[goes]
    sample = row // live
    counts = torch.bincount(sample, minlength=batch)
    widest = int(counts.max()) if batch else 0
    first = counts.cumsum(0) - counts
    place_of = torch.arange(len(row), device=row.device) - first[sample]
    rank = torch.full((batch, widest), -torch.inf, device=value.device)  # ragged rows, filled up
    rank[sample, place_of] = value if bonus is None else value + bonus.here[following]
    best, place = rank.topk(min(most, widest), dim=1)
    index = (first[:, None] + place).clamp(max=max(0, len(row) - 1))
    if len(row) == 0:
        index = index[:, :0]
    beyond = None
    if bonus is not None and widest:  # what ranks low here may lead to what the prior likes best
        could = torch.full_like(rank, -torch.inf)
        could[sample, place_of] = value + bonus.at_best[following]
        beyond = could.scatter(1, place[:, : most - 1], -torch.inf).amax(1)
    return Candidates(
        row[index] % live,
        token[index],
        following[index],
        torch.where(best > -torch.inf, value[index], -torch.inf),
        ended,
        end_node,
        beyond,
    )


def unguided_candidates(logits: torch.Tensor, total: torch.Tensor, most: int, *, first: bool) -> Candidates:
    """The `most` best of all tokens; an empty noun is no answer. Arguments as of `guided_candidates`."""
    _batch, live, size = logits.shape
    values = total[:, :, None] + logits.log_softmax(-1)  # [batch, live, vocabulary]
    ended = torch.full_like(total, -torch.inf) if first else values[:, :, END].clone()
    values[:, :, END] = -torch.inf
    best, index = values.flatten(1).topk(min(most, live * size), dim=1)
    root = torch.full_like(index, ROOT)
    return Candidates(index // size, index % size, root, best, ended, torch.full_like(total, ROOT, dtype=torch.int64))
