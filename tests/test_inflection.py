"""Inflection: 300 nouns written by hand, the rules behind them, and the file of lists."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.inflection import Inflector
from nounflow.nouns.inflection_lists import InflectionLists
from nounflow.senses import WordSenses
from nounflow.text import canon, counted, regular_plural
from nounflow.wordnet import WordNet

THINGS = {"artifact", "food", "animal", "plant", "substance", "person", "phenomenon", "object", "body"}
NOUNS = Path(__file__).parent / "fixtures/nouns.tsv"


@pytest.fixture(scope="module")
def inflector(wordnet: WordNet, lists: InflectionLists, frequencies: Frequencies) -> Inflector:
    return Inflector(wordnet, lists, frequencies)


def test_tricky_nouns_are_written_as_by_hand(inflector: Inflector, wordnet: WordNet) -> None:
    """Display form, article, plurals and countability of each row; a comma parts plurals of which either may lead."""
    words = WordSenses(wordnet)
    wrong = []
    with NOUNS.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        senses = [sense.synset for sense in words.by_mass(row["word"]) if sense.synset.lexname in THINGS]
        forms = inflector.forms([row["word"]], senses[0] if senses else None)
        one = counted((forms.singulars or forms.plurals)[0], forms.countability)
        leading = forms.plurals[0] if forms.plurals else ""
        if (one, forms.countability) != (row["one"], row["use"]) or leading not in row["plurals"].split(", "):
            wrong.append(f"{row['word']}: {one}, {leading}, {forms.countability}")
    assert len(rows) >= 300
    assert not wrong, "\n".join(wrong)


def test_each_listed_word_is_an_english_noun_and_stands_in_one_list_of_countability(
    lists: InflectionLists, wordnet: WordNet, frequencies: Frequencies
) -> None:
    known = {canon(word) for word in wordnet.index}
    names = ("count", "both", "mass", "pairs", "plural_only")
    words = [word.lower() for name in names for rule in getattr(lists, name) for word in rule.words]
    assert [word for word, n in Counter(words).items() if n > 1] == []
    unknown = []
    for word in words:
        lasts = (canon(word), canon(word).split()[-1])
        forms = {form for last in lasts for form in (last, regular_plural(last), last.removesuffix("s"))}
        if not known & forms and not frequencies(word):
            unknown.append(word)
    assert not unknown, unknown
