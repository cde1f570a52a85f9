"""The lexicons that are made of the real WordNet."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml
from noun_material import FULL, nouns_of, words_only

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.inflection_lists import InflectionLists
from nounflow.nouns.lexicon import build_lexicon
from nounflow.nouns.rules import Rules
from nounflow.text import canon
from nounflow.wordnet import WordNet

EVERYDAY = """dog cat horse elephant owl eagle duck swan penguin frog snake shark dolphin butterfly bee spider crab
    apple banana strawberry grape tomato carrot broccoli pumpkin mushroom bread cheese pizza cake sandwich
    rose tulip sunflower cactus tree leaf acorn hammer saw screwdriver shovel knife fork spoon cup kettle
    chair table sofa lamp clock shirt dress shoe hat glove umbrella car truck bus bicycle motorcycle airplane
    helicopter boat train tractor guitar piano drum trumpet violin camera telephone computer book pencil key
    house castle bridge lighthouse church mountain beach river moon star snowman man woman child hand"""


@pytest.fixture(scope="module")
def small(
    wordnet: WordNet, rules: Rules, lists: InflectionLists, frequencies: Frequencies
) -> tuple[pl.DataFrame, Counts]:
    return build_lexicon(wordnet, LexiconConfig(), rules, frequencies, words_only, inflection=lists)


@pytest.fixture(scope="module")
def full(
    wordnet: WordNet, rules: Rules, lists: InflectionLists, frequencies: Frequencies
) -> tuple[pl.DataFrame, Counts]:
    return build_lexicon(wordnet, FULL, rules, frequencies, inflection=lists)


def test_no_homograph_of_a_function_word_leads_the_lexicon(small: tuple[pl.DataFrame, Counts]) -> None:
    table, _ = small
    top = set(table.sort("weight", descending=True)["noun"].head(100))
    assert not top & {"can", "may", "type", "service", "back", "well", "post", "doe", "saw", "home", "mail", "web"}


def test_every_word_of_the_rule_file_is_a_wordnet_word_and_stands_once(
    rules: Rules, wordnet: WordNet, repository: Path
) -> None:
    known = {canon(word) for word in wordnet.index}
    forms = known | {canon(form) for form in wordnet.exceptions}
    for group in (rules.keep, rules.leave_out):
        words = [canon(word) for rule in group for word in rule.words]
        assert len(words) == len(set(words))
        assert [word for word in words if word not in forms] == []
    text = yaml.safe_load((repository / "resources/nouns/rules.yaml").read_text())
    assert all(rule["reason"] for key in ("include", "exclude", "keep", "leave_out", "shares") for rule in text[key])


def test_small_has_the_size_and_the_everyday_words_it_promises(small: tuple[pl.DataFrame, Counts]) -> None:
    table, _ = small
    assert 4000 <= table.height <= 5000
    nouns = set(table["canon"])
    everyday = EVERYDAY.split()
    assert [noun for noun in everyday if noun not in nouns] == []
    two = ["fire truck", "polar bear", "bell pepper", "praying mantis", "great white shark", "hot air balloon"]
    assert [noun for noun in two if noun not in nouns] == []
    assert nouns.isdisjoint({"system", "may", "aspirin tablet", "bacteria", "domestic dog", "canis"})


def test_a_capital_in_small_is_that_of_a_kept_word(small: tuple[pl.DataFrame, Counts], rules: Rules) -> None:
    table, _ = small
    capitals = {noun for noun in nouns_of(table) if noun != noun.lower()}
    assert {"American flag", "Christmas tree", "TV", "DVD", "French horn"} <= capitals
    assert [noun for noun in capitals if canon(noun) not in rules.kept] == []


def test_full_keeps_forty_thousand_with_taxa(full: tuple[pl.DataFrame, Counts]) -> None:
    table, counts = full
    assert table.height >= 40_000
    assert {"genus Canis", "Canis familiaris", "dog"} <= set(nouns_of(table))
    assert table["noun"].str.contains("^[A-Z]").sum() > 10_000
    counts.as_dict()


@pytest.mark.parametrize("which", ["small", "full"])
def test_lexicons_are_whole(which: str, request: pytest.FixtureRequest) -> None:
    table, _ = request.getfixturevalue(which)
    assert table["id"].to_list() == list(range(table.height))
    assert table["canon"].is_unique().all()
    assert table["key"].is_unique().all()
    assert table["canon"].to_list() == sorted(table["canon"])
    assert [canon(noun) for noun in nouns_of(table)] == table["canon"].to_list()
    assert table["weight"].min() >= 1
    assert (table["singulars"].list.len() + table["plurals"].list.len()).min() >= 1
    sums = table.select(pl.col("singular_shares").list.sum() + pl.col("plural_shares").list.sum()).to_series()
    assert sums.min() > 0.999
    assert sums.max() < 1.001
    assert table["synsets"].list.len().min() >= 1
    assert table["synsets"].list.len().equals(table["sense_keys"].list.len())
    assert table["hypernyms"].list.len().equals(table["hypernym_synsets"].list.len())
    assert (table["gloss"].str.len_chars() > 0).all()
