"""Nouns: weights, selection by rule and filters, on a WordNet of a few synsets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noun_material import FULL, nouns_of, words_only

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.nouns.entries import NounEntry
from nounflow.nouns.frequencies import THRESHOLD, Frequencies, log_weight
from nounflow.nouns.lexicon import build_lexicon
from nounflow.nouns.rules import Rules, load_rules
from nounflow.nouns.selection import SenseOrder
from nounflow.nouns.stand_ins import Drop, stand_ins
from nounflow.schemas.tables import NOUNS, read_lexicon, write_table
from nounflow.senses import WordSense, WordSenses
from nounflow.wordnet import WordNet

# A WordNet of nine synsets: two cranes, a can, a writer, a taxon, synonyms.
SYNSETS = [
    # offset, class, lemmas, hypernym, instance hypernym, gloss
    (1, 3, ["entity"], None, None, "that which exists"),
    (2, 5, ["animal"], 1, None, "a living thing"),
    (3, 6, ["artifact"], 1, None, "a man-made thing"),
    (4, 5, ["crane"], 2, None, "large wading bird"),
    (5, 6, ["crane"], 3, None, "lifts heavy objects"),
    (6, 18, ["Crane"], None, 1, "United States writer"),
    (7, 6, ["can", "tin_can"], 3, None, "sealed metal container"),
    (8, 5, ["dog", "domestic_dog", "pooch"], 2, None, "a member of the genus Canis"),
    (9, 14, ["genus_Grus"], 1, None, "a genus of cranes"),
    (10, 9, ["can"], 1, None, "an idea of ability"),
]


@pytest.fixture
def tiny(tmp_path: Path) -> WordNet:
    lines: list[str] = []
    index: dict[str, list[int]] = {}
    for offset, lexname, lemmas, parent, instance_of, gloss in SYNSETS:
        words = " ".join(f"{lemma} 0" for lemma in lemmas)
        pointer = f"001 @ {parent:08d} n 0000" if parent else "000"
        pointer = f"001 @i {instance_of:08d} n 0000" if instance_of else pointer
        lines.append(f"{offset:08d} {lexname:02d} n {len(lemmas):02x} {words} {pointer} | {gloss}  ")
        for lemma in lemmas:
            index.setdefault(lemma.lower(), []).append(offset)
    (tmp_path / "data.noun").write_text("\n".join(lines) + "\n")
    entries = [f"{w} n {len(o)} 0 {len(o)} 0 {' '.join(f'{x:08d}' for x in o)}" for w, o in sorted(index.items())]
    (tmp_path / "index.noun").write_text("\n".join(entries) + "\n")
    (tmp_path / "cntlist.rev").write_text("crane%1:06:00:: 1 3\ncan%2:30:00:: 1 95\ncan%1:06:00:: 1 4\n")
    return WordNet.load(tmp_path)


TERMS = {"bias": -5.0, "class:animal": 9.0, "class:artifact": 9.0}


def frequencies_of(table: dict[str, float]) -> Frequencies:
    return Frequencies(web=table, second={})


def rules_of(**fields: object) -> Rules:
    return Rules.model_validate({"terms": TERMS, **fields})


# --- weights


@given(st.floats(0, 1), st.floats(0, 1))
def test_weights_grow_with_frequency_and_are_never_below_one(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert 1 <= log_weight(low) <= log_weight(high)


@pytest.mark.parametrize(("frequency", "weight"), [(0, 1), (THRESHOLD, 1), (7.0e-5, 6), (5.2e-4, 9), (3.8e-3, 12)])
def test_weights_follow_the_published_curve(frequency: float, weight: int) -> None:
    assert log_weight(frequency) == pytest.approx(weight, abs=0.02)


def test_a_homograph_weighs_only_its_share_as_an_object(tiny: WordNet) -> None:
    table, _ = build_lexicon(tiny, FULL, rules_of(), frequencies_of({"can": 1e-2, "crane": 1e-2}))
    weight = dict(table.select("noun", "weight").iter_rows())
    assert weight["can"] == pytest.approx(log_weight(1e-2 * 5 / (5 + 1 + 95)))  # one prior of 1 for each noun sense
    assert weight["can"] < weight["crane"] < log_weight(1e-2)


def test_a_share_set_by_hand_holds_for_the_spelling(tiny: WordNet) -> None:
    rules = rules_of(shares=[{"words": "can, cranes", "share": 0.5, "reason": "a test"}])
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({"can": 1e-3, "crane": 0.0, "cranes": 1e-3}))
    weight = dict(table.select("noun", "weight").iter_rows())
    assert weight["can"] == weight["crane"] == pytest.approx(log_weight(5e-4))


def test_two_words_gain_from_their_closed_spelling_unless_it_is_another_word() -> None:
    table = {"fire truck": 3e-6, "firetruck": 1e-6, "car pet": 1e-7, "carpet": 1e-4}
    frequency = Frequencies(table, {}, is_word={"carpet"}.__contains__)
    assert frequency("fire truck") == pytest.approx(4e-6)
    assert frequency("car pet") == pytest.approx(1e-7)
    assert frequency("big fire truck") == 0


def test_two_sources_are_averaged_and_one_suffices() -> None:
    frequency = Frequencies({"web": 1e-2, "only": 2e-4}, {"web": 1e-4, "other": 3e-4})
    assert [frequency(w) for w in ("web", "only", "other", "none")] == pytest.approx([1e-3, 2e-4, 3e-4, 0])


# --- senses and selection


def test_untagged_senses_are_ordered_by_what_was_entered_first(wordnet: WordNet) -> None:
    words = WordSenses(wordnet)
    assert words.by_mass("bullet train")[0].synset.lexname == "artifact"
    assert [sense.key for sense in words.by_mass("abacus")] == ["abacus%1:06:00::", "abacus%1:06:01::"]


def test_names_are_not_objects_and_tagged_senses_come_first(tiny: WordNet) -> None:
    table, counts = build_lexicon(tiny, FULL, rules_of(), frequencies_of({}))
    crane = table.filter(pl.col("noun") == "crane").row(0, named=True)
    assert crane["synsets"] == ["n00000005", "n00000004"]
    assert crane["sense_keys"] == ["crane%1:06:00::", "crane%1:05:00::"]
    assert (crane["kind"], crane["gloss"]) == ("artifact", "lifts heavy objects")
    assert crane["hypernyms"] == ["artifact", "entity"]
    assert crane["hypernym_synsets"] == ["n00000003", "n00000001"]
    assert counts.flows[0].dropped["name of a single thing (min_visualness)"] == 1


def test_later_senses_stand_behind_others(tiny: WordNet) -> None:
    rules = rules_of(later=[{"senses": "crane%1:06:00::", "reason": "a test"}])
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    assert table.filter(pl.col("noun") == "crane")["kind"].item() == "animal"


def test_leading_senses_stand_before_others(tiny: WordNet) -> None:
    assert kind_of_crane(tiny, rules_of(leading=[{"senses": "crane%1:05:00::", "reason": "a test"}])) == "animal"


def test_a_word_is_not_used_for_a_sense_that_is_left_out_whose_other_words_stay(tiny: WordNet) -> None:
    rules = rules_of(leave_out_senses=[{"senses": "pooch%1:05:00::", "below": False, "reason": "a test"}])
    plain, mended = (set(build_lexicon(tiny, FULL, of, frequencies_of({}))[0]["noun"]) for of in (rules_of(), rules))
    assert plain - mended == {"pooch"}


def test_a_leading_sense_leads_the_word_of_its_key_and_no_synonym_of_it(tiny: WordNet) -> None:
    """The sense of "poster" is also one of "card" and of "bill"."""
    one = rules_of(leading=[{"senses": "tin_can%1:06:00::", "below": False, "reason": "a test"}])
    all_words = rules_of(leading=[{"senses": "tin_can%1:06:00::", "reason": "a test"}])
    words = WordSenses(tiny)
    can, tin_can = (next(s for s in words.senses(word) if s.key.endswith("%1:06:00::")) for word in ("can", "tin can"))
    assert not SenseOrder(tiny, one).rank("tin can", tin_can)[1]
    assert SenseOrder(tiny, one).rank("can", can)[1]
    assert not SenseOrder(tiny, all_words).rank("can", can)[1]


def test_a_name_that_nobody_writes_stands_in_only_for_what_a_word_is_known_to_mean(tiny: WordNet) -> None:
    """ "imperial beard" is no answer since "imperial" is left out."""

    def names(count: int, frequency: float, use: float = 1.2e-5) -> list[str]:
        senses = [WordSense(tiny.synsets["n00000004"], f"{word}%1:05:00::", word, count, 1.0) for word in ("a", "b")]
        word = NounEntry("imperial", "imperial", (senses[0],), ("imperial",), (), frequency=use, object_frequency=use)
        beard = NounEntry("imperial beard", "imperial beard", (senses[1],), ("imperial beard",), (), noun_share=1.0)
        name = replace(beard, frequency=frequency, object_frequency=1e-6)
        drops = {"imperial": Drop("left out", Drop.AMBIGUOUS), "imperial beard": Drop("too rare", Drop.RARE)}
        return list(stand_ins([word, name], drops, 3.0, ("animal",)))

    assert names(count=0, frequency=0.0) == []
    assert names(count=3, frequency=0.0) == ["imperial beard"]
    assert names(count=0, frequency=1e-6) == ["imperial beard"]
    assert names(count=0, frequency=0.0, use=1e-3) == ["imperial beard"]  # meant often enough


def test_pictures_of_a_sense_and_its_name_in_an_image_set_put_it_first(tiny: WordNet) -> None:
    pictured = rules_of(pictured=frozenset({"crane%1:05:00::"}))
    assert kind_of_crane(tiny, pictured) == "artifact"  # three times a mass of 1 is less than 4
    assert kind_of_crane(tiny, rules_of(listed_senses={"crane": "crane%1:05:00::"})) == "animal"


def kind_of_crane(tiny: WordNet, rules: Rules) -> str:
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    return str(table.filter(pl.col("noun") == "crane")["kind"].item())


def test_words_are_left_out_of_photographed_lexicons_only(tiny: WordNet) -> None:
    rules = rules_of(leave_out=[{"words": "dog", "reason": "a test"}])
    everything, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    some, _ = build_lexicon(tiny, FULL.model_copy(update={"photographed": True}), rules, frequencies_of({}))
    assert "dog" in nouns_of(everything)
    assert "dog" not in nouns_of(some)


def test_a_rare_word_that_is_left_out_does_not_come_back_as_the_only_name_of_its_sense(tiny: WordNet) -> None:
    config = FULL.model_copy(update={"photographed": True, "min_weight": 3.0, "complete_kinds": ("artifact",)})
    use = frequencies_of({"tin": 1e-3, "can": 1e-3, "dog": 1e-2})
    rules = rules_of(shares=[{"words": "can", "share": 0.001, "reason": "a test"}])
    assert "tin can" in nouns_of(build_lexicon(tiny, config, rules, use)[0])
    left_out = rules.model_copy(
        update=dict(rules_of(leave_out=[{"words": "tin can", "reason": "a test"}])) | {"shares": rules.shares}
    )
    table, counts = build_lexicon(tiny, config, left_out, use)
    assert "tin can" not in nouns_of(table)
    assert counts.flows[1].dropped["left out by the rule file: a test"] == 1


@pytest.mark.parametrize(
    ("words", "message"), [("dog, pooch, Dog", "twice: dog"), ("unicorn", "without effect.*unicorn")]
)
def test_words_left_out_must_be_there_to_be_left_out(tiny: WordNet, words: str, message: str) -> None:
    with pytest.raises(NounflowError, match=message):
        build_lexicon(tiny, FULL, rules_of(leave_out=[{"words": words, "reason": "a test"}]), frequencies_of({}))


# --- filters


def build_tiny(tiny: WordNet, table: dict[str, float], **settings: object) -> tuple[pl.DataFrame, Counts]:
    return build_lexicon(tiny, FULL.model_copy(update=settings), rules_of(), frequencies_of(table), words_only)


def test_rare_synonyms_give_way_to_the_common_word(tiny: WordNet) -> None:
    table = {"dog": 1e-3, "pooch": 2e-4}
    assert {"dog", "pooch"} <= set(nouns_of(build_tiny(tiny, table, synonym_ratio=8)[0]))
    assert "domestic dog" not in nouns_of(build_tiny(tiny, table, synonym_ratio=8)[0])
    assert "pooch" not in nouns_of(build_tiny(tiny, table, synonym_ratio=4)[0])


@pytest.mark.parametrize(
    ("settings", "gone", "stays"),
    [
        ({"max_pieces": 1}, "tin can", "can"),
        ({"min_weight": 2.0}, "animal", "dog"),
        ({"max_nouns": 1}, "crane", "dog"),
        ({"min_object_share": 0.9}, "can", "dog"),
        ({"kinds": ("animal",)}, "can", "dog"),
    ],
)
def test_each_filter_drops_and_counts(tiny: WordNet, settings: dict[str, Any], gone: str, stays: str) -> None:
    table, counts = build_tiny(tiny, {"dog": 1e-2, "can": 1e-3, "crane": 1e-4}, **settings)
    assert gone not in nouns_of(table)
    assert stays in nouns_of(table)
    for flow in counts.as_dict()["flows"]:
        assert flow["in"] - sum(flow["dropped"].values()) + sum(flow["added"].values()) == flow["out"]


def test_of_the_names_of_an_image_class_the_commonest_passes_all_filters(tiny: WordNet) -> None:
    rules = rules_of(listed=(("tin can", "unknown"), ("pooch", "domestic dog")))
    frequencies = frequencies_of({"dog": 1e-2, "pooch": 1e-6})
    table, _ = build_lexicon(tiny, LexiconConfig(max_pieces=0), rules, frequencies)
    assert nouns_of(table) == ["dog", "pooch", "tin can"]
    table, _ = build_lexicon(tiny, LexiconConfig(max_pieces=0, listed=False), rules, frequencies)
    assert nouns_of(table) == ["dog"]


def test_a_filter_that_leaves_nothing_is_an_error_that_names_the_settings(tiny: WordNet) -> None:
    with pytest.raises(NounflowError, match="is empty") as error:
        build_tiny(tiny, {}, min_weight=50.0)
    assert "min_weight" in str(error.value.fix)


def test_max_pieces_without_a_tokenizer_is_an_error(tiny: WordNet) -> None:
    with pytest.raises(NounflowError, match="tokenizer"):
        build_lexicon(tiny, LexiconConfig(), rules_of(), frequencies_of({}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + "mistake: 1\n", "mistake"),
        (lambda text: "later: [", "YAML"),
        (None, "no rule file"),
    ],
)
def test_a_broken_rule_file_is_named(tmp_path: Path, change: Callable[[str], str] | None, message: str) -> None:
    path = tmp_path / "rules.yaml"
    if change:
        path.write_text(change("shares: []\n"))
    with pytest.raises(NounflowError, match=message) as error:
        load_rules(path)
    assert str(path) in str(error.value)


def test_a_rule_for_a_sense_that_wordnet_lacks_is_an_error(tiny: WordNet) -> None:
    rules = rules_of(later=[{"senses": "unicorn%1:05:00::", "reason": "a test"}])
    with pytest.raises(NounflowError, match="unicorn%1:05:00::"):
        build_lexicon(tiny, FULL, rules, frequencies_of({}))


def test_the_command_line_writes_the_same_lexicon_twice(tmp_path: Path, tiny: WordNet, repository: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("shares: []\n")
    terms = "".join(f"{term}\t{weight}\n" for term, weight in TERMS.items())
    (tmp_path / "visualness.tsv").write_text(f"term\tweight\n{terms}")
    inflection = tmp_path / "inflection.yaml"
    inflection.write_text("mass: [{words: mud, reason: a test}]\n")
    script = repository / "workflow_scripts/build_nouns.py"
    for run in ("a", "b"):
        subprocess.run(
            [sys.executable, str(script), "--wordnet", str(tmp_path), "--rules", str(rules),
             "--inflection", str(inflection), "--supplement", "unused.tsv", "--lexicon", "tiny",
             "--settings", json.dumps({"min_weight": 0, "min_object_share": 0, "supplement": False}),
             "--out", str(tmp_path / f"{run}.parquet"), "--counts", str(tmp_path / f"{run}.json")],
            check=True, env=os.environ | {"PYTHONPATH": str(repository)},
        )  # fmt: skip
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert "dog" in nouns_of(read_lexicon(tmp_path / "a.parquet"))
    assert json.loads((tmp_path / "a.json").read_text())["stage"] == "nouns"


def test_a_lexicon_of_the_plain_columns_is_read_without_further_meanings(tiny: WordNet, tmp_path: Path) -> None:
    table, _ = build_lexicon(tiny, FULL, rules_of(), frequencies_of({"dog": 1e-2}))
    write_table(tmp_path / "nouns.parquet", table, NOUNS)
    read = read_lexicon(tmp_path / "nouns.parquet")
    assert read.columns == table.columns
    assert read["sense_keys"].to_list() == read["hypernym_synsets"].to_list() == [[]] * len(table)
