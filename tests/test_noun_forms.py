"""Forms of nouns: plurals, singulars, and how often each is used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.inflection import Inflector, form_shares
from nounflow.nouns.inflection_lists import InflectionLists
from nounflow.text import canon
from nounflow.wordnet import WordNet


@pytest.fixture(scope="module")
def inflector(wordnet: WordNet, lists: InflectionLists, frequencies: Frequencies) -> Inflector:
    return Inflector(wordnet, lists, frequencies)


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("goose", "geese"),
        ("knife", "knives"),
        ("ox", "oxen"),
        ("mouse", "mice"),
        ("leaf", "leaves"),
        ("child", "children"),
        ("tooth", "teeth"),
        ("bus", "buses"),
        ("banjo", "banjos"),
        ("sheep", "sheep"),
        ("box", "boxes"),
        ("butterfly", "butterflies"),
        ("x-ray", "x-rays"),
        ("lady's slipper", "lady's slippers"),
        ("fire truck", "fire trucks"),
        ("field mouse", "field mice"),
        ("pair of scissors", "pairs of scissors"),
        ("bird of paradise", "birds of paradise"),
        ("lily of the valley", "lilies of the valley"),
        ("man-of-war", "men-of-war"),
        ("jack-in-the-box", "jacks-in-the-box"),
        ("great white shark", "great white sharks"),
        ("St. Bernard", "St. Bernards"),
        ("Lhasa apso", "Lhasa apsos"),
        ("Arizona ash", "Arizona ashes"),
        ("merry-go-round", "merry-go-rounds"),
    ],
)
def test_plurals_inflect_the_head_noun(inflector: Inflector, wordnet: WordNet, singular: str, plural: str) -> None:
    if not wordnet.exceptions and "-" in singular and singular.split("-")[0] in ("man", "jack"):
        pytest.skip("this WordNet has no noun.exc")
    assert inflector.plurals(singular)[0] == plural


@pytest.mark.parametrize("noun", ["furniture", "lightning", "Canis familiaris", "Bufo bufo", "genus Canis", "rice"])
def test_what_has_no_plural_gets_none(inflector: Inflector, noun: str) -> None:
    assert inflector.forms([noun]).plurals == ()


@pytest.mark.parametrize(
    ("noun", "is_plural"),
    [("scissors", True), ("bermuda shorts", True), ("lens", False), ("bus", False), ("glass", False), ("iris", False),
     ("triceratops", False), ("cola", False), ("dog", False)],
)  # fmt: skip
def test_plural_entries_are_told_from_singulars_in_s(inflector: Inflector, noun: str, is_plural: bool) -> None:
    assert inflector.is_plural(noun) is is_plural


@given(
    st.lists(st.sampled_from(["ax", "axe", "x-ray", "x ray", "sheep"]), max_size=3, unique=True),
    st.lists(st.sampled_from(["axes", "x-rays", "sheep"]), max_size=2, unique=True),
    st.dictionaries(st.sampled_from(["ax", "axe", "x ray", "axes", "sheep"]), st.floats(0, 1)),
)
def test_form_shares_are_positive_and_sum_to_one(
    singulars: list[str], plurals: list[str], table: dict[str, float]
) -> None:
    if not singulars and not plurals:
        return
    shares = form_shares(tuple(singulars), tuple(plurals), lambda form: table.get(canon(form), 0.0), 1e-7)
    assert [len(part) for part in shares] == [len(singulars), len(plurals)]
    assert sum(map(sum, shares)) == pytest.approx(1)
    assert min(shares[0] + shares[1]) > 0
