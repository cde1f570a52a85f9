"""The supplement of nouns that WordNet lacks: the table, its mistakes, and its way into a lexicon."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nounflow.config.lexicon import LexiconConfig
from nounflow.errors import NounflowError
from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.inflection_lists import InflectionLists
from nounflow.nouns.lexicon import build_lexicon
from nounflow.nouns.rules import Rules
from nounflow.nouns.supplement import COLUMNS, Addition, extended, read_supplement
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.senses import WordSenses
from nounflow.wordnet import WordNet

Rows = dict[str, dict[str, Any]]

GOOD = "smartphone\tsmart phone\tartifact\ttelephone%1:06:00::\tcount\t\ta telephone with a touch screen"


@pytest.fixture(scope="module")
def supplement(wordnet: WordNet, repository: Path) -> tuple[Addition, ...]:
    return read_supplement(repository / "resources/nouns/modern.tsv", wordnet)


@pytest.fixture(scope="module")
def lexicon(wordnet: WordNet, supplement: tuple[Addition, ...], lists: InflectionLists) -> Rows:
    """The entries of a lexicon of artifacts, food and the supplement, by canon; no frequencies."""
    rules = Rules.model_validate({"terms": {"bias": -1.0, "class:artifact": 3.0, "class:food": 3.0}})
    config = LexiconConfig(kinds=("artifact",), min_weight=0, min_object_share=0, max_pieces=0, synonym_ratio=0)
    frequencies = Frequencies({}, {})
    table, _ = build_lexicon(wordnet, config, rules, frequencies, inflection=lists, supplement=supplement)
    return {row["canon"]: row for row in table.iter_rows(named=True)}


def test_the_table_holds_what_phones_photograph_and_wordnet_lacks(
    supplement: tuple[Addition, ...], wordnet: WordNet
) -> None:
    words = WordSenses(wordnet)
    assert len(supplement) >= 620
    assert len({addition.kind for addition in supplement}) >= 6
    for addition in supplement:
        senses = [sense.synset.lexname for word in addition.words for sense in words.senses(word)]
        assert addition.kind not in senses or addition.share < 1, addition


def test_entries_have_sense_gloss_forms_and_parents_of_their_own(lexicon: Rows) -> None:
    phone = lexicon["smartphone"]
    assert phone["gloss"] == "a pocket telephone with a touch screen that runs apps and takes pictures"
    assert phone["plurals"] == ["smartphones"]
    assert phone["hypernyms"][0] == "telephone"
    assert phone["synsets"] == lexicon["smart phone"]["synsets"]
    assert lexicon["oat milk"]["countability"] == "mass"
    assert (lexicon["earbuds"]["singulars"], lexicon["earbuds"]["plurals"]) == ([], ["earbuds"])


@pytest.mark.parametrize(
    ("noun", "parent"), [("drone", "aircraft"), ("router", "electronic device"), ("tablet", "electronic device")]
)
def test_the_modern_sense_leads_where_its_share_says_so(lexicon: Rows, noun: str, parent: str) -> None:
    assert lexicon[noun]["hypernyms"][0] == parent
    assert len(lexicon[noun]["synsets"]) > 1


def test_a_lexicon_brings_its_added_senses_to_a_plain_wordnet(lexicon: Rows, wordnet: WordNet) -> None:
    table = pl.DataFrame([lexicon["smartphone"], lexicon["telephone"]])
    words = WordSenses(wordnet, [table])
    (own,) = words.synsets("smartphone")
    assert words.wordnet.synsets[own].parents == words.synsets("telephone")[:1]
    assert own not in wordnet.synsets


def test_ids_are_of_the_content_and_new(supplement: tuple[Addition, ...], wordnet: WordNet) -> None:
    both, ids = extended(wordnet, supplement)
    assert len(ids) == len(supplement)
    assert not ids & wordnet.synsets.keys()
    one, own = extended(wordnet, supplement[:1])
    assert own < ids
    assert one.synsets[next(iter(own))] == both.synsets[next(iter(own))]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (GOOD, "'smartphone' stands already in row 2"),
        (GOOD.replace("smartphone", "x\x00phone").replace("smart phone", ""), "plain letters"),
        (GOOD.replace("smartphone", "<b>phone</b>").replace("smart phone", ""), "plain letters"),
        (GOOD.replace("smartphone", "flip phone").replace("smart phone", "Flip-Phone"), "the same alias twice"),
        (GOOD.replace("smartphone", "").replace("smart phone", ""), "the noun is missing"),
        ("flip phone\t\tartifact\ttelephone%1:06:99::\tcount\t\ta small phone", "no sense key of this WordNet"),
        ("flip phone\t\tgadget\ttelephone%1:06:00::\tcount\t\ta small phone", "kind 'gadget'"),
        ("flip phone\t\tartifact\ttelephone%1:06:00::\tsome\t\ta small phone", "use 'some'"),
        ("flip phone\t\tartifact\ttelephone%1:06:00::\tcount\t0.5\ta small phone", "WordNet has no other"),
        ("drone\t\tartifact\taircraft%1:06:00::\tcount\t\ta small aircraft", "WordNet has another drone"),
        ("drone\t\tartifact\taircraft%1:06:00::\tcount\t1.5\ta small aircraft", "share '1.5'"),
        ("flip phone\t\tartifact\ttelephone%1:06:00::\tcount\t\ta <i>small</i> phone", "plain words"),
        ("flip phone\t\tartifact\ttelephone%1:06:00::\tcount", "cells expected"),
    ],
)
def test_a_mistake_in_the_table_is_named_with_file_and_row(
    tmp_path: Path, wordnet: WordNet, row: str, message: str
) -> None:
    path = tmp_path / "modern.tsv"
    path.write_text("\t".join(COLUMNS) + f"\n{GOOD}\n{row}\n", encoding="utf-8")
    with pytest.raises(NounflowError) as error:
        read_supplement(path, wordnet)
    assert message in str(error.value)
    assert f"{path}, row 3" in str(error.value)


def test_what_a_supplement_added_is_a_kind_of_its_own_to_whoever_reads_the_lexicon(wordnet: WordNet) -> None:
    """A smartphone is a telephone, but no synonym of one, nor of other kinds that were added, nor coarse like it."""
    telephone, dog = (wordnet.sense_ids[key] for key in ("telephone%1:06:00::", "dog%1:05:00::"))
    rows = [
        {"noun": noun, "canon": noun, "kind": "artifact", "gloss": "a telephone", "synsets": [sense], "frequency": 1e-6,
         "sense_keys": [key], "hypernym_synsets": [telephone], "singulars": [noun], "plurals": [f"{noun}s"]}
        for noun, sense, key in (
            ("smartphone", "n90000001", "smartphone%1:06:90::"),
            ("flip phone", "n90000002", "flip_phone%1:06:90::"),
            ("dog", dog, "dog%1:05:00::"),
        )
    ]  # fmt: skip
    hierarchy = Hierarchy(wordnet, [pl.DataFrame(rows)], coarse_from=2)
    assert hierarchy.same("smartphone", "smartphone")
    assert not hierarchy.same("smartphone", "flip phone")
    assert not hierarchy.same("smartphone", "telephone")
    assert hierarchy.specificity("telephone") < hierarchy.specificity("smartphone") == 1.0
    assert hierarchy.lexname("smartphone") == "artifact"
    assert 0 < hierarchy.nearness(hierarchy.senses("smartphone"), hierarchy.senses("telephone")) < 1
