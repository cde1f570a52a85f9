"""What tests of nouns share: the measured frequencies, the rules that ship, a lexicon that nothing is left out of."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nounflow.config.lexicon import LexiconConfig
from nounflow.nouns.frequencies import Frequencies, load_frequencies
from nounflow.nouns.inflection_lists import InflectionLists
from nounflow.nouns.rules import Rules, load_rules, read_rule_file
from nounflow.wordnet import WordNet

FULL = LexiconConfig(
    photographed=False, capitalised=True, min_weight=0, min_object_share=0, max_pieces=0, synonym_ratio=0,
    complete_kinds=(), variants=True,
)  # fmt: skip

UNGROUPED = {  # columns of a lexicon whose nouns all mean something else
    "group": pl.col("synsets").list.first(),
    "aliases": pl.lit([], pl.List(pl.String)),
    "visualness": pl.lit(1.0),
}


@pytest.fixture(scope="session")
def frequencies(wordnet: WordNet) -> Frequencies:
    return load_frequencies(wordnet.index.__contains__)


@pytest.fixture(scope="session")
def rules(repository: Path) -> Rules:
    return load_rules(repository / "resources/nouns/rules.yaml")


@pytest.fixture(scope="session")
def lists(repository: Path) -> InflectionLists:
    return read_rule_file(repository / "resources/nouns/inflection.yaml", InflectionLists)


def words_only(text: str) -> int:
    """A stand-in for word pieces: words."""
    return len(text.split())


def nouns_of(table: pl.DataFrame) -> list[str]:
    return table["noun"].to_list()
