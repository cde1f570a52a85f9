"""The lexicons that are made of the real WordNet."""

from __future__ import annotations

import polars as pl
import pytest
from noun_material import FULL, nouns_of, words_only

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.nouns.frequencies import Frequencies, log_weight
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


def test_small_has_the_size_and_the_everyday_words_it_promises(small: tuple[pl.DataFrame, Counts]) -> None:
    table, _ = small
    assert 6000 <= table.height <= 8000
    nouns = set(table["canon"])
    assert [noun for noun in EVERYDAY.split() if noun not in nouns] == []
    two = ["fire truck", "polar bear", "bell pepper", "praying mantis", "great white shark", "hot air balloon"]
    assert [noun for noun in two if noun not in nouns] == []
    assert sorted({"village", "school", "bank", "lady", "receipt", "credit card", "person"} - nouns) == []
    assert nouns.isdisjoint({"system", "may", "aspirin tablet", "bacteria", "domestic dog", "canis"})


def test_each_word_that_the_rule_file_leaves_out_would_else_be_in_small(
    small: tuple[pl.DataFrame, Counts], rules: Rules
) -> None:
    dropped = small[1].as_dict()["flows"][1]["dropped"]
    assert sum(n for reason, n in dropped.items() if reason.startswith("left out")) == len(rules.left_out)


def test_what_only_ambiguous_or_rare_words_name_has_one_name_in_small(small: tuple[pl.DataFrame, Counts]) -> None:
    nouns = set(nouns_of(small[0]))
    assert {"full moon", "index finger", "golf links"} <= nouns
    assert nouns.isdisjoint({"full", "index", "links"})
    assert {"boarding card", "cellist", "shooting star"} <= nouns
    assert nouns.isdisjoint({"boarding pass", "violoncellist"})  # the same sense needs no second rare name


def test_spellings_of_one_noun_are_its_forms(small: tuple[pl.DataFrame, Counts]) -> None:
    forms = {row[0]: row[1] for row in small[0].select("noun", "singulars").iter_rows()}
    assert forms["salt shaker"] == ["salt shaker", "saltshaker"]
    assert forms["airplane"] == ["airplane", "aeroplane"]


def test_breeds_are_in_small_and_latin_names_are_aliases(small: tuple[pl.DataFrame, Counts]) -> None:
    table, _ = small
    nouns = set(nouns_of(table))
    kinds = {"German shepherd dog", "Siberian husky", "Pekingese", "American flag", "Christmas tree", "TV"}
    assert sorted(kinds - nouns) == []
    assert nouns.isdisjoint({"Canis familiaris", "London", "Crane"})
    assert "Canis familiaris" in table.filter(pl.col("canon") == "dog")["aliases"].item()


@pytest.mark.parametrize(
    ("noun", "gloss"),
    [("plate", "dish"), ("cake", "baked goods"), ("zombie", "a dead body"), ("cup", "a small open container"),
     ("bank", "a building"), ("mouse", "any of numerous small rodents"), ("crane", "large long-necked")],
)  # fmt: skip
def test_a_word_leads_with_the_sense_that_one_photographs(
    small: tuple[pl.DataFrame, Counts], noun: str, gloss: str
) -> None:
    assert small[0].filter(pl.col("canon") == noun)["gloss"].item().startswith(gloss)


def test_a_plural_that_is_another_word_weighs_little(
    full: tuple[pl.DataFrame, Counts], frequencies: Frequencies
) -> None:
    weights = dict(full[0].select("canon", "weight").iter_rows())
    assert weights["doe"] < weights["deer"]
    assert weights["sander"] < log_weight(frequencies("sanders"))


def test_full_keeps_what_is_photographed_and_no_ranks(full: tuple[pl.DataFrame, Counts]) -> None:
    table, counts = full
    assert table.height >= 38_000
    assert {"Canis familiaris", "dog", "Siamese cat"} <= set(nouns_of(table))
    assert {"genus Canis", "Holy Father"}.isdisjoint(nouns_of(table))
    assert "Holy Father" in table.filter(pl.col("noun") == "pope")["aliases"].item()
    assert table.select(pl.col("singulars").list.len() + pl.col("plurals").list.len()).sum().item() >= 81_000
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


def test_each_spelling_that_is_left_out_would_be_one(rules: Rules, frequencies: Frequencies) -> None:
    words = [word for rule in rules.leave_out_spellings for word in rule.words]
    assert len(set(words)) == len(words)
    written = frequencies.second
    assert [word for word in words if word not in written and word.removesuffix("s") not in written] == []
