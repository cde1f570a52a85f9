"""Votes on a noun: how many are still needed, and what they come to by the voting rule.

The rule is that of the published sets, taken from two answers to five categories: *correct*, *close* and *incorrect*
are what a confident share of the votes must say; without one the noun is close.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

_ROUNDING = 1e-9


class VotingRule(NamedTuple):
    """How many votes a noun gets, and which share of them settles it."""

    least: int = 3
    most: int = 5
    confidence: float = 0.78


def kind_of(category: str) -> str:
    """correct, close or incorrect."""
    return category.split("_")[0]


def votes_needed(votes: Mapping[str, int], rule: VotingRule) -> int:
    """The fewest further votes that could settle a noun if all said the same; 0 when it is settled or exhausted."""
    n = sum(votes.values())
    most = max(_by_kind(votes).values(), default=0)
    reach = (rule.confidence * n - most) / (1 - rule.confidence) - _ROUNDING
    return max(math.ceil(min(reach, rule.most - n)), rule.least - n, 0)


def verdict(votes: Mapping[str, int], rule: VotingRule) -> str:
    """The category that votes (at least one) come to. As many for the main subject as for the rest: main subject."""
    cast = _by_kind(votes)
    sure = rule.confidence * cast.total() - _ROUNDING
    kind = next((kind for kind, n in sorted(cast.items()) if n >= sure), "close")
    if kind == "incorrect":
        return kind
    aside = sum(votes.get(category, 0) for category in ("correct_secondary", "close_secondary"))
    return f"{kind}_{'secondary' if 2 * aside > cast.total() - cast['incorrect'] else 'primary'}"


def _by_kind(votes: Mapping[str, int]) -> Counter[str]:
    cast: Counter[str] = Counter()
    for category, number in votes.items():
        cast[kind_of(category)] += number
    return cast
