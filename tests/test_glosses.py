"""Glosses, cut into phrases that can stand in a sentence."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.captions.glosses import GlossReader
from nounflow.captions.scenes import SceneBook


@pytest.fixture(scope="module")
def reader(nouns: pl.DataFrame, book: SceneBook) -> GlossReader:
    words = [*nouns["singulars"].explode().drop_nulls(), *nouns["hypernyms"].explode()]
    words += ["songbird", "breast", "trouser", "shop", "rat", "dough", "flour", "friedcake", "cat", "bird", "engine"]
    return GlossReader(words, book.words("trait"), book.words("uncountable"))


@pytest.mark.parametrize(
    ("gloss", "singular", "plural", "detail"),
    [
        ("small Old World songbird with a reddish breast",
         ("a small Old World songbird with a reddish breast", "a small Old World songbird"),
         ("each a small Old World songbird with a reddish breast", "small Old World songbirds"),
         ("with a reddish breast",)),
        ("any of various large birds of the family Accipitridae having keen sight",
         ("one of the large birds having keen sight", "one of the large birds"),
         ("large birds having keen sight", "large birds"), ("having keen sight",)),
        ("a kind of cat", (), (), ()),
        ("(literary) an old boat (usually wooden); a term of endearment", ("an old boat",), ("old boats",), ()),
        ("made from flour", (), (), ("made from flour",)),
        ("clothing worn on the body", ("clothing worn on the body",), ("clothing worn on the body",),
         ("worn on the body",)),
        ("a `big' car", (), (), ()),
        ("the young of a bird", ("the young of a bird",), (), ()),
        ("small ring-shaped friedcake", ("a small ring-shaped friedcake",), ("small ring-shaped friedcakes",), ()),
        ("a vehicle driven by an engine", ("a vehicle driven by an engine",), ("each a vehicle driven by an engine",),
         ("driven by an engine",)),
        ("shop selling dough", ("a shop selling dough",), ("each a shop selling dough",), ()),
        ("xyzzy of unknown sort", (), (), ()),
        ("", (), (), ()),
    ],
)  # fmt: skip
def test_a_gloss_is_cut_into_phrases(
    reader: GlossReader, gloss: str, singular: tuple[str, ...], plural: tuple[str, ...], detail: tuple[str, ...]
) -> None:
    phrases = reader.read(gloss, ["zebu"])
    assert (phrases.singular, phrases.plural, phrases.singular_detail) == (singular, plural, detail)


def test_a_part_of_a_gloss_that_contains_the_noun_itself_is_left_out(reader: GlossReader) -> None:
    assert reader.read("a large robin; a bird with a red breast", ["robin", "robins"]).singular == (
        "a bird with a red breast",
    )


def test_a_detail_with_a_verb_stays_with_its_number(reader: GlossReader) -> None:
    one = reader.read("a bird that eats cats", ["zebu"])
    many = reader.read("any of various birds that eat cats", ["zebu"])
    assert (one.singular_detail, one.plural_detail) == (("that eats cats",), ())
    assert (many.singular_detail, many.plural_detail) == ((), ("that eat cats",))


GLOSS_WORDS = (
    "a an the any of various small red bird birds with that is are used for in and or , ; ( ) ` genus Rosa its it "
    "especially made having dog usually kind"
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(re.split(" ", GLOSS_WORDS)), max_size=25))
def test_no_gloss_breaks_the_reader_and_no_phrase_has_brackets_or_is_long(words: list[str]) -> None:
    phrases = GlossReader(["bird", "dog"], ["red"], ["water"]).read(" ".join(words), ["owl"])
    for field in (phrases.singular, phrases.plural, phrases.singular_detail, phrases.plural_detail):
        for phrase in field:
            assert not set(phrase) & set("()[];`")
            assert len(phrase.split()) <= 13 + 3  # "one of the" + phrase
