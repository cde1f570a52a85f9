"""Nouns that go together, as their glosses say, and the tuples that hold them."""

from __future__ import annotations

import re

import polars as pl
import pytest
from caption_material import ENTRIES, lexicon_of, multiset

from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.multisets import BLOCK, Multiset, multiset_rows
from nounflow.captions.templates import Templates
from nounflow.captions.tuples import Companions

TOGETHER = [
    ("cup", "artifact", "crockery<tableware", "a vessel that stands on a saucer and holds tea", 8, "cup", "cups"),
    ("saucer", "artifact", "crockery<tableware", "a small shallow dish", 5, "saucer", "saucers"),
    ("tea", "food", "beverage<food", "a drink made from leaves", 7, "tea", ""),
    ("leash", "artifact", "restraint<device", "a line that holds a dog or another creature", 4, "leash", "leashes"),
    ("animal", "animal", "organism", "a living thing", 9, "animal", "animals"),
    ("sheepdog", "animal", "dog<animal", "a dog that herds sheep", 5, "sheepdog", "sheepdogs"),
    *(entry for entry in ENTRIES if entry[0] in ("dog", "sheep", "sofa", "couch", "hammer", "car", "boat", "oak")),
]


def companion_pairs(entries: list[tuple[str, str, str, str, int, str, str]]) -> set[tuple[int, int]]:
    """By brute force over words: nouns of one gloss, its own entry among them."""
    owner = {
        form: i for i, entry in enumerate(entries) for form in (*entry[5].split(";"), *entry[6].split(";")) if form
    }
    parents = {i: entry[2].split("<") for i, entry in enumerate(entries)}
    pairs = set()
    for i, entry in enumerate(entries):
        words = [owner[word] for word in re.findall(r"\w+", entry[3]) if word in owner]
        named = {i, *(word for word in words if entries[word][0] not in parents[i])}
        pairs |= {(a, b) for a in named for b in named if a != b and entries[a][0] not in parents[b] and
                  entries[b][0] not in parents[a]}  # fmt: skip
    return pairs


def test_companions_are_the_nouns_of_one_gloss_without_parents_and_synonyms() -> None:
    entries = lexicon_of(TOGETHER)
    companions = Companions(entries)
    found = {(noun, other) for noun in range(len(entries)) for other in companions.of(noun)}
    assert found == companion_pairs(TOGETHER)
    names = [entry[0] for entry in TOGETHER]
    assert {(names[a], names[b]) for a, b in found if a < b} == {
        ("cup", "saucer"), ("cup", "tea"), ("saucer", "tea"), ("leash", "dog"), ("sheepdog", "sheep"),
        ("animal", "dog"),
    }  # fmt: skip


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_share_of_tuples_holds_companions_and_no_noun_twice(templates: Templates, m: int, share: float) -> None:
    entries = lexicon_of(TOGETHER)
    lexicon = CaptionLexicon.of(entries)
    together = Multiset(lexicon, templates, m, 200, 1, share, Companions(entries))
    rows = multiset_rows(together)
    pairs = companion_pairs(TOGETHER)
    sure = {a for a, b in pairs if all(TOGETHER[b][5:7])}  # they have a companion in both numbers
    apart = multiset_rows(Multiset(lexicon, templates, m, 200, 1))
    changed = 0
    for targets, before in zip(rows["targets"].to_list(), apart["targets"].to_list(), strict=True):
        assert len(set(targets)) == m
        assert {"sofa", "couch"} - {TOGETHER[noun][0] for noun in targets}
        assert targets[0] == before[0]
        changed += targets != before
        if share == 1.0 and targets[0] in sure:
            assert any((targets[0], other) in pairs for other in targets[1:])
    assert 0.5 * share * len(rows) < changed < 1.1 * share * len(rows)
    assert rows["template"].equals(apart["template"])


def test_any_range_of_rows_with_companions_equals_the_same_rows_of_the_whole(templates: Templates) -> None:
    entries = lexicon_of(TOGETHER)
    lexicon = CaptionLexicon.of(entries)
    whole = Multiset(lexicon, templates, 3, 100, 1, 0.5, Companions(entries))
    rows = multiset_rows(whole)
    for start, stop in ((0, 7), (7, BLOCK + 3), (BLOCK - 3, len(rows))):
        again = Multiset(lexicon, templates, 3, 100, 1, 0.5, Companions(entries))
        assert multiset_rows(again, start, stop).equals(rows[start:stop])


def test_without_a_share_the_rows_are_those_of_no_companions(nouns: pl.DataFrame, templates: Templates) -> None:
    plain = multiset_rows(multiset(nouns, templates, 2))
    assert multiset_rows(Multiset(CaptionLexicon.of(nouns), templates, 2, 12, 1, 0.0, Companions(nouns))).equals(plain)
