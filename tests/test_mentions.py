"""Nouns that a text names: in any spelling, the longest, and which of them are news."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from check_material import ENTRIES, IDS, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.captions.checks import CaptionChecks, with_secondary
from nounflow.captions.mentions import FormIndex


def named(index: FormIndex, text: str, wanted: Sequence[int] = ()) -> list[str]:
    names = list(IDS)
    return [names[mention.uses[0].noun] for mention in index.read(text, wanted).mentions]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A dog eats a hot dog.", ["dog", "hot dog"]),
        ("A hot-dog stand and two hot dogs.", ["hot dog", "hot dog"]),
        ("It is hot. Dog lovers stay at home.", ["dog"]),
        ("The dog's bowl, the dogs' bowls and a dog’s bed.", ["dog", "dog", "dog"]),
        ("A doghouse, hotdogs and owlish eyes.", []),
        ("An x ray, an X-ray and many x-rays.", ["X-ray", "X-ray", "X-ray"]),
        ("A St Bernard and a St. Bernard near a saint.", ["St. Bernard", "St. Bernard"]),
        ("The PC is not pc.", ["PC"]),
        ("A green bean sprout.", ["green bean"]),
        ("", []),
        ("... !?", []),
    ],
)
def test_a_text_names_the_longest_nouns_in_any_spelling(check_nouns: pl.DataFrame, text: str, found: list[str]) -> None:
    assert named(FormIndex(check_nouns), text) == found


def test_of_two_nouns_that_overlap_the_wanted_one_counts(check_nouns: pl.DataFrame) -> None:
    index = FormIndex(check_nouns)
    assert named(index, "A green bean sprout.", [IDS["bean sprout"]]) == ["bean sprout"]
    assert named(index, "A hot dog.", [IDS["dog"]]) == ["hot dog"]  # inside a longer one it does not count


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([entry[0] for entry in ENTRIES]), min_size=1, max_size=5),
    st.sampled_from(["upper", "lower", "title"]),
)
def test_every_noun_of_a_list_is_found_in_order_whatever_the_case(
    check_nouns: pl.DataFrame, entries: list[str], case: str
) -> None:
    entries = [entry for entry in entries if entry != "PC" or case == "upper"]
    text = ", ".join(getattr(entry, case)() for entry in entries)
    assert named(FormIndex(check_nouns), text) == entries


@pytest.mark.parametrize(
    ("text", "noun", "others"),
    [
        ("A dog and an owl sit on a table.", "dog", ["owl", "table"]),
        ("A dog under the kitchen table at night.", "dog", ["table"]),  # kitchen only describes the table
        ("An owl, a nocturnal bird, in an old tree.", "owl", []),  # a parent says what it is
        ("A sofa, or couch, in a bright room.", "sofa", []),  # a synonym
        ("A dog watches a sheep on the hill.", "dog", ["sheep"]),  # a verb
        ("A photo of a dog eating a hot dog.", "dog", ["hot dog"]),
        ("A dog beside several axes in a shed.", "dog", ["ax"]),  # of two check_nouns the heavier one
        ("A dog looks at another dog on the road.", "dog", []),
    ],
)
def test_secondary_nouns_are_found_but_not_what_only_describes(
    checks: CaptionChecks, text: str, noun: str, others: list[str]
) -> None:
    result = checks.check(text, [IDS[noun]])
    assert (result.fault, [list(IDS)[other] for other in result.others]) == (None, others)


def test_secondary_nouns_become_targets_with_a_share_of_the_weight(checks: CaptionChecks) -> None:
    table = table_of(
        ("A dog and an owl sit on a table.", "dog"), ("A cat sits on a table.", "dog"), ("The dog sleeps well.", "dog")
    )
    kept = with_secondary(table, checks.check_table(table), 0.2)
    assert kept["text"].to_list() == ["A dog and an owl sit on a table.", "The dog sleeps well."]
    assert kept["targets"].to_list() == [[IDS["dog"], IDS["owl"], IDS["table"]], [IDS["dog"]]]
    assert kept["target_weights"].to_list() == [pytest.approx([0.8, 0.1, 0.1]), [1.0]]
    assert kept.schema == table.schema
