"""Votes on a noun: how many are asked for, what they come to, and when they are calibrated on people."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_judging import BESIDE, NEAR, NEAR_BESIDE, RIGHT, WRONG

from nounflow.annotation.calibration import Compared, held_out_verdicts, settle
from nounflow.annotation.votes import VotingRule, verdict, votes_needed
from nounflow.schemas.annotations import CATEGORIES

RULE = VotingRule()


@pytest.mark.parametrize(
    ("right", "wrong", "needed", "category"),
    [(0, 0, 3, None), (3, 0, 0, RIGHT), (0, 3, 0, WRONG), (2, 1, 2, None), (1, 2, 2, None),
     (4, 1, 0, RIGHT), (1, 4, 0, WRONG), (3, 2, 0, NEAR), (2, 3, 0, NEAR)],
)  # fmt: skip
def test_two_answers_are_counted_as_the_published_rule_counts_them(
    right: int, wrong: int, needed: int, category: str | None
) -> None:
    votes = {RIGHT: right, WRONG: wrong}
    assert votes_needed(votes, RULE) == needed
    assert category is None or verdict(votes, RULE) == category


def test_five_categories_are_settled_by_kind_and_then_by_side() -> None:
    assert verdict({RIGHT: 1, BESIDE: 3}, RULE) == BESIDE
    assert verdict({RIGHT: 2, BESIDE: 2}, RULE) == RIGHT
    assert verdict({BESIDE: 2, WRONG: 2, NEAR: 1}, RULE) == NEAR_BESIDE
    assert verdict({NEAR_BESIDE: 4, WRONG: 1}, RULE) == NEAR_BESIDE
    assert votes_needed({RIGHT: 2, BESIDE: 1}, RULE) == 0


@given(st.lists(st.sampled_from(CATEGORIES), max_size=12), st.integers(1, 4), st.integers(0, 5))
def test_the_votes_asked_for_are_the_fewest_that_can_settle_a_noun(cast: list[str], least: int, more: int) -> None:
    rule = VotingRule(least, least + more)
    votes = {category: cast.count(category) for category in CATEGORIES if category in cast}

    def settled(counts: dict[str, int]) -> bool:
        kinds = [sum(n for c, n in counts.items() if c.startswith(kind)) for kind in ("correct", "close", "incorrect")]
        n = sum(counts.values())
        return n >= rule.least and (n >= rule.most or max(kinds) >= rule.confidence * n)

    fewest = next(
        n for n in range(20) if any(settled({**votes, category: votes.get(category, 0) + n}) for category in CATEGORIES)
    )
    assert votes_needed(votes, rule) == fewest


def test_votes_are_calibrated_where_that_agrees_better_with_people_on_pictures_not_fitted_on() -> None:
    dice = random.Random(1)
    habits = {RIGHT: RIGHT, BESIDE: NEAR, NEAR: NEAR_BESIDE, NEAR_BESIDE: WRONG, WRONG: WRONG}  # what the model says
    pairs = []
    for _ in range(300):
        people = dice.choice(CATEGORIES)
        cast = [habits[people] if dice.random() < 0.85 else dice.choice(CATEGORIES) for _ in range(3)]
        votes = {category: cast.count(category) for category in CATEGORIES if category in cast}
        pairs.append(Compared(f"{dice.randrange(16**8):08x}", votes, people))
    settling = settle(pairs, ["ann"], RULE, 50)
    assert settling.calibration is not None
    assert settling.agreement is not None
    assert settling.agreement.held_out
    assert settling.agreement.kappa is not None
    assert settling.agreement.kappa_voting is not None
    assert settling.agreement.kappa > settling.agreement.kappa_voting + 0.3
    assert sum(settling.calibration.probabilities({NEAR: 3}).values()) == pytest.approx(1)
    assert settling.category({NEAR: 3}) == BESIDE
    unseen = held_out_verdicts(pairs)
    assert settling.agreement.share == sum(a.people == b for a, b in zip(pairs, unseen, strict=True)) / 300
    assert sum(n for row in settling.agreement.confusion.values() for n in row.values()) == 300
    few = settle(pairs[:49], ["ann"], RULE, 50)
    assert few.calibration is None
    assert "49" in few.words
    assert few.agreement is not None
    assert few.agreement.pairs == 49


def test_where_the_voting_rule_says_what_people_say_nothing_is_calibrated() -> None:
    pairs = [Compared(f"{i:08x}", {CATEGORIES[i % 5]: 3}, CATEGORIES[i % 5]) for i in range(80)]
    settling = settle(pairs, ["ann"], RULE, 50)
    assert settling.calibration is None
    assert settling.agreement is not None
    assert settling.agreement.kappa == 1.0
    assert settle([], [], RULE, 50).agreement is None
