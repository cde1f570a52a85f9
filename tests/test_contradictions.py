"""How contradicting judgements are settled, and how far people agree."""

from __future__ import annotations

import json
from random import Random

import pytest
from decision_records import DIGESTS, NAMES, people, record
from hypothesis import given
from hypothesis import strategies as st

from nounflow.annotation.agreement import agreement, cohen_kappa, krippendorff_alpha, shared_judgements
from nounflow.annotation.consensus import five_lists, resolve
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import Decision


def said(*pairs: tuple[str, str]) -> list[Decision]:
    return [record(n, category=category, annotator=who) for n, (who, category) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("judgements", "policy", "verdict"),
    [
        ([("ann", "incorrect"), ("bob", "incorrect")], people(), ("incorrect", "agreed")),
        ([("ann", "incorrect"), ("bob", "incorrect"), ("cyd", "close_primary")], people(), ("incorrect", "majority")),
        ([("ann", "incorrect"), ("bob", "close_primary")], people(), ("close_primary", "latest")),
        ([("ann", "close_primary"), ("bob", "incorrect")], people(), ("incorrect", "latest")),
        ([("ann", "incorrect"), ("bob", "close_primary")], people(seniority=("ann",)), ("incorrect", "senior")),
        ([("ann", "incorrect"), ("bob", "close_primary")], people(("majority",)), (None, "open")),
        ([("ann", "incorrect"), ("bob", "close_primary")], people(()), (None, "open")),
        # the senior one decides among the categories that the majority left, and only there
        (
            [("ann", "correct_primary"), ("bob", "incorrect"), ("cyd", "incorrect")],
            people(seniority=("ann",)),
            ("incorrect", "majority"),
        ),
        (
            [("ann", "correct_primary"), ("bob", "incorrect"), ("cyd", "incorrect")],
            people(("senior",), ("ann",)),
            ("correct_primary", "senior"),
        ),
        ([("ann", "incorrect"), ("bob", "close_primary")], people(("senior",), ("dan",)), (None, "open")),
    ],
)
def test_contradictions_are_settled_by_the_stated_policy(
    judgements: list[tuple[str, str]], policy: PeopleAnnotatorConfig, verdict: tuple[None, str] | tuple[str, str]
) -> None:
    assert resolve(said(*judgements), policy) == verdict


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(CATEGORIES)), min_size=1, max_size=6), st.randoms())
def test_neither_order_nor_the_alphabet_settles_anything(pairs: list[tuple[str, str]], chance: Random) -> None:
    judgements = said(*pairs)
    verdict = resolve(judgements, people())
    shuffled = judgements.copy()
    chance.shuffle(shuffled)
    assert resolve(shuffled, people()) == verdict
    # renaming the categories renames the verdict, so their names play no part
    turned = dict(zip(CATEGORIES, CATEGORIES[::-1], strict=True))
    renamed = [one.model_copy(update={"category": turned[one.category]}) for one in judgements]
    assert resolve(renamed, people()).category == (turned[verdict.category] if verdict.category else None)


def test_what_one_and_the_same_file_contradicts_itself_in_stays_open_and_is_shown() -> None:
    both = [record(1, category="close_primary", time=5), record(2, category="correct_primary", time=5)]
    lists, rows, counts = five_lists(CurrentDecisions(both), {"a.png": DIGESTS[0]}, people())
    assert lists == {}
    assert [(row.category, row.verdict, row.settled_by) for row in rows] == [
        ("close_primary", "", "open"),
        ("correct_primary", "", "open"),
    ]
    assert "leaves it open" in json.dumps(counts.as_dict())


def test_the_five_lists_hold_what_stands_of_those_who_count() -> None:
    records = [
        *said(("ann", "correct_primary"), ("bob", "incorrect")),
        record(5, noun="cat", category="unsure"),
        record(6, noun="cup", category="close_secondary"),
        record(7, noun="cup", image="c" * 64),
    ]
    files = {"a.png": DIGESTS[0], "same.png": DIGESTS[0], "b.png": DIGESTS[1]}
    lists, rows, _ = five_lists(CurrentDecisions(records), files, people(members=("ann",)))
    assert lists["a.png"].correct_primary == ("dog",)
    assert lists["a.png"].close_secondary == ("cup",)
    assert lists["same.png"] == lists["a.png"]
    assert set(lists) == {"a.png", "same.png"}
    assert rows == []
    everyone, rows, _ = five_lists(CurrentDecisions(records), files, people())
    assert everyone["a.png"].incorrect == ("dog",)
    assert {row.annotator for row in rows} == {"ann", "bob"}


def test_kappa_and_alpha_of_a_table_worked_by_hand() -> None:
    # 20 pairs: both yes 8, both no 6, and 6 on which they differ (3 each way): po = .7, pe = .55*.55 + .45*.45 = .505
    first = ["incorrect"] * 8 + ["close_primary"] * 6 + ["incorrect"] * 3 + ["close_primary"] * 3
    second = ["incorrect"] * 8 + ["close_primary"] * 6 + ["close_primary"] * 3 + ["incorrect"] * 3
    assert cohen_kappa(first, second) == pytest.approx((0.7 - 0.505) / 0.495)
    rows = [{"a": x, "b": y} for x, y in zip(first, second, strict=True)]
    # observed disagreement .3; expected 2 * 22 * 18 / (40 * 39)
    assert krippendorff_alpha(rows) == pytest.approx(1 - 0.3 / (2 * 22 * 18 / (40 * 39)))
    found = agreement(rows)
    assert found.pairs == 20
    assert found.twos[0].share == pytest.approx(0.7)
    assert found.twos[0].kappa_coarse == pytest.approx(found.twos[0].kappa)


def test_agreement_is_none_where_nothing_varies_or_nobody_overlaps() -> None:
    assert cohen_kappa(["incorrect"], ["incorrect"]) is None
    assert agreement([]) == (0, None, None, ())
    current = CurrentDecisions([record(1), record(2, noun="cat", annotator="bob")])
    assert shared_judgements(current) == {}


# --- reviews --------------------------------------------------------------------------------------------------------

DISPUTED = [
    record(1, category="incorrect"),
    record(2, category="incorrect", annotator="bob"),
    record(3, category="close_primary", annotator="cyd"),
]


def stands(*records: Decision, members: tuple[str, ...] = ()) -> tuple[str, int]:
    """The category that stands of the one noun, and how many rows of contradictions there are."""
    lists, rows, _ = five_lists(CurrentDecisions([*DISPUTED, *records]), {"a.png": DIGESTS[0]}, people(members=members))
    (category,) = [name for name, nouns in lists["a.png"] if nouns]
    return category, len(rows)


def test_a_review_stands_above_the_majority_and_above_what_is_said_later() -> None:
    assert stands() == ("incorrect", 3)
    review = record(4, category="correct_primary", annotator="rae", review=True)
    assert stands(review) == ("correct_primary", 0)
    assert stands(review, record(9, category="incorrect", annotator="dan")) == ("correct_primary", 0)
    assert stands(review, members=("ann", "bob", "cyd")) == ("incorrect", 3)  # rae does not count
    assert stands(record(4, category="unsure", annotator="rae", review=True)) == ("incorrect", 3)


def test_reviewers_who_differ_contradict_each_other() -> None:
    reviews = [
        record(4, category="correct_primary", annotator="rae", review=True),
        record(5, category="close_primary", annotator="sam", review=True),
    ]
    assert stands(*reviews) == ("close_primary", 2)  # the latest


def test_who_reviews_what_they_judged_takes_nothing_of_it_back() -> None:
    own = record(4, category="close_primary", annotator="ann", review=True)
    current = CurrentDecisions([*DISPUTED, own])
    assert shared_judgements(current)[DIGESTS[0], "dog"]["ann"] == "incorrect"
    assert stands(own) == ("close_primary", 0)
