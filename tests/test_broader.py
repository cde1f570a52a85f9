"""Synonyms as one answer, and the most specific name that is sure enough."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nounflow.predictors.broader import chain_of, hypernyms_of, merged_synonyms
from nounflow.schemas.hypernyms import NounHypernyms

NAMES = {"n1": "beagle", "n2": "poodle", "n3": "dog", "n4": "animal", "n5": "zebra"}
HYPERNYMS = NounHypernyms(
    names=NAMES,
    chains=(("n1", "n3", "n4"), ("n2", "n3", "n4"), ("n3", "n4"), ("n5", "n4"), ("n3", "n4")),
    groups=("beagle", "poodle", "dog", "zebra", "dog"),
)
BEAGLE, POODLE, DOG, ZEBRA, HOUND = range(5)


def test_a_hypernym_has_the_probability_of_all_candidates_below_it() -> None:
    chain = chain_of(HYPERNYMS, [BEAGLE, POODLE, ZEBRA, DOG], [0.4, 0.3, 0.1, 0.05])
    assert [name for name, _ in chain] == ["beagle", "dog", "animal"]
    assert [p for _, p in chain] == pytest.approx([0.4, 0.75, 0.85])


def test_of_synonyms_the_heaviest_names_what_they_share() -> None:
    lexicon = pl.DataFrame(
        {
            "noun": ["frog", "toad", "tree frog"],
            "synsets": [["n1"], ["n1"], ["n2"]],
            "weight": [7.0, 6.0, 9.0],
            "hypernyms": [[], [], ["anuran"]],
            "hypernym_synsets": [[], [], ["n1"]],
            "group": ["frog", "frog", "tree frog"],
        }
    )
    assert hypernyms_of(lexicon).names == {"n1": "frog", "n2": "tree frog"}


def test_what_is_of_no_lexicon_has_nothing_above_it() -> None:
    assert chain_of(HYPERNYMS, [-1, BEAGLE], [0.5, 0.4]) == ()
    assert chain_of(HYPERNYMS, [], []) == ()
    assert chain_of(HYPERNYMS, [BEAGLE, -1], [0.5, 0.4]) == (("beagle", 0.5),)  # what is above says no more


def test_a_likelier_name_that_is_no_less_specific_goes_before_what_is_broader() -> None:
    chain = chain_of(HYPERNYMS, [ZEBRA, BEAGLE, POODLE], [0.4, 0.3, 0.3])
    assert [name for name, _ in chain] == ["zebra", "dog", "animal"]
    assert [p for _, p in chain] == pytest.approx([0.4, 0.6, 1.0])


def test_each_step_has_the_sum_of_what_lies_below_it_and_no_more() -> None:
    two_ways = NounHypernyms(
        names={"a": "goldfish", "b": "pet", "c": "fish", "d": "animal", "e": "hamster", "f": "carp"},
        chains=(("a", "b", "c", "d"), ("e", "b", "d"), ("f", "c", "d")),
        groups=("goldfish", "hamster", "carp"),
    )
    assert dict(chain_of(two_ways, [0, 1, 2], [0.4, 0.05, 0.4])) == pytest.approx(
        {"goldfish": 0.4, "pet": 0.45, "fish": 0.8, "animal": 0.85}
    )


def test_synonyms_are_one_answer_under_the_name_that_came_first() -> None:
    places, probabilities = merged_synonyms(HYPERNYMS, [BEAGLE, HOUND, DOG, -1], [0.4, 0.3, 0.2, 0.1])
    assert places == [1, 0, 3]
    assert probabilities == pytest.approx([0.5, 0.4, 0.1])


@given(st.lists(st.tuples(st.integers(-1, 4), st.floats(0, 1)), min_size=1, max_size=12))
def test_merging_keeps_the_sum_and_chains_never_fall(candidates: list[tuple[int, float]]) -> None:
    nouns, raw = zip(*candidates, strict=True)
    probabilities = [p / max(1.0, sum(raw)) for p in raw]
    _, merged = merged_synonyms(HYPERNYMS, nouns, probabilities)
    assert sum(merged) == pytest.approx(sum(probabilities))
    assert merged == sorted(merged, reverse=True)
    rising = [p for _, p in chain_of(HYPERNYMS, nouns, probabilities)]
    assert rising == sorted(rising)
    assert all(0 <= p <= 1 for p in rising)
