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
    ("gloss", "details", "features", "traits"),
    [
        ("small Old World songbird with a reddish breast", (), ("reddish breast",), ("small",)),
        ("any of various large birds of the family Accipitridae having a keen cat", (), ("keen cat",), ("large",)),
        ("a kind of cat", (), (), ()),
        ("(literary) a large boat (usually wooden); a term of endearment", (), (), ("large",)),
        ("made from flour", ("made from flour",), (), ()),
        ("a bird with flour", ("with flour",), (), ()),
        ("a vehicle driven by an engine", (), (), ()),
        ("clothing worn on the body", (), (), ()),
        ("a `big' car", (), (), ()),
        ("a large robin; a bird with a red breast", (), ("red breast",), ()),
        ("xyzzy of unknown sort", (), (), ()),
        ("", (), (), ()),
    ],
)
def test_a_gloss_is_cut_into_short_phrases(
    reader: GlossReader, gloss: str, details: tuple[str, ...], features: tuple[str, ...], traits: tuple[str, ...]
) -> None:
    phrases = reader.read(gloss, ["robin", "robins"])
    assert (phrases.details, phrases.features, phrases.traits) == (details, features, traits)


GLOSS_WORDS = (
    "a an the any of various small red bird birds with that is are used for in and or , ; ( ) ` genus Rosa its it "
    "especially made having dog usually kind"
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(re.split(" ", GLOSS_WORDS)), max_size=25))
def test_no_gloss_breaks_the_reader_and_no_phrase_has_brackets_or_is_long(words: list[str]) -> None:
    phrases = GlossReader(["bird", "dog"], ["red"], ["water"]).read(" ".join(words), ["owl"])
    for field in (phrases.details, phrases.features, phrases.traits):
        for phrase in field:
            assert not set(phrase) & set("()[];`")
            assert len(phrase.split()) <= 3
