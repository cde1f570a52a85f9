"""Nouns: selection by rule, forms, weights, filters, and the lexicons of the real WordNet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nounflow.config.lexicon import LexiconConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.nouns.frequencies import THRESHOLD, Frequencies, load_frequencies, log_weight
from nounflow.nouns.inflection import Inflector, form_shares
from nounflow.nouns.inflection_lists import InflectionLists, load_inflection_lists
from nounflow.nouns.lexicon import build_lexicon
from nounflow.nouns.rules import Rules, load_rules
from nounflow.schemas.tables import NOUNS, read_lexicon, write_table
from nounflow.senses import WordSenses
from nounflow.text import canon
from nounflow.wordnet import WordNet

FULL = LexiconConfig(
    photographed=False, capitalised=True, min_weight=0, min_object_share=0, max_pieces=0, synonym_ratio=0
)


EVERYDAY = """dog cat horse elephant owl eagle duck swan penguin frog snake shark dolphin butterfly bee spider crab
    apple banana strawberry grape tomato carrot broccoli pumpkin mushroom bread cheese pizza cake sandwich
    rose tulip sunflower cactus tree leaf acorn hammer saw screwdriver shovel knife fork spoon cup kettle
    chair table sofa lamp clock shirt dress shoe hat glove umbrella car truck bus bicycle motorcycle airplane
    helicopter boat train tractor guitar piano drum trumpet violin camera telephone computer book pencil key
    house castle bridge lighthouse church mountain beach river moon star snowman man woman child hand"""


def words_only(text: str) -> int:
    """A stand-in for word pieces: words."""
    return len(text.split())


@pytest.fixture(scope="module")
def frequencies(wordnet) -> Frequencies:
    return load_frequencies(wordnet.index.__contains__)


@pytest.fixture(scope="module")
def rules(repository) -> Rules:
    return load_rules(repository / "resources/nouns/rules.yaml")


@pytest.fixture(scope="module")
def lists(repository) -> InflectionLists:
    return load_inflection_lists(repository / "resources/nouns/inflection.yaml")


@pytest.fixture(scope="module")
def inflector(wordnet, lists, frequencies) -> Inflector:
    return Inflector(wordnet, lists, frequencies)


@pytest.fixture(scope="module")
def small(wordnet, rules, lists, frequencies) -> tuple[pl.DataFrame, Counts]:
    return build_lexicon(wordnet, LexiconConfig(), rules, frequencies, words_only, inflection=lists)


@pytest.fixture(scope="module")
def full(wordnet, rules, lists, frequencies) -> tuple[pl.DataFrame, Counts]:
    return build_lexicon(wordnet, FULL, rules, frequencies, inflection=lists)


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
def tiny(tmp_path) -> WordNet:
    lines, index = [], {}
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


def nouns_of(table: pl.DataFrame) -> list[str]:
    return table["noun"].to_list()


# --- weights


@given(st.floats(0, 1), st.floats(0, 1))
def test_weights_grow_with_frequency_and_are_never_below_one(first, second):
    low, high = sorted((first, second))
    assert 1 <= log_weight(low) <= log_weight(high)


@pytest.mark.parametrize(("frequency", "weight"), [(0, 1), (THRESHOLD, 1), (7.0e-5, 6), (5.2e-4, 9), (3.8e-3, 12)])
def test_weights_follow_the_published_curve(frequency, weight):
    assert log_weight(frequency) == pytest.approx(weight, abs=0.02)


def test_a_homograph_weighs_only_its_share_as_an_object(tiny):
    table, _ = build_lexicon(tiny, FULL, rules_of(), frequencies_of({"can": 1e-2, "crane": 1e-2}))
    weight = dict(table.select("noun", "weight").iter_rows())
    assert weight["can"] == pytest.approx(log_weight(1e-2 * 5 / (5 + 1 + 95)))  # one prior of 1 for each noun sense
    assert weight["can"] < weight["crane"] < log_weight(1e-2)


def test_a_share_set_by_hand_holds_for_the_spelling(tiny):
    rules = rules_of(shares=[{"words": "can, cranes", "share": 0.5, "reason": "a test"}])
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({"can": 1e-3, "crane": 0.0, "cranes": 1e-3}))
    weight = dict(table.select("noun", "weight").iter_rows())
    assert weight["can"] == weight["crane"] == pytest.approx(log_weight(5e-4))


def test_no_homograph_of_a_function_word_leads_the_lexicon(small):
    table, _ = small
    top = set(table.sort("weight", descending=True)["noun"].head(100))
    assert not top & {"can", "may", "type", "service", "back", "well", "post", "doe", "saw", "home", "mail", "web"}


def test_two_words_gain_from_their_closed_spelling_unless_it_is_another_word():
    table = {"fire truck": 3e-6, "firetruck": 1e-6, "car pet": 1e-7, "carpet": 1e-4}
    frequency = Frequencies(table, {}, is_word={"carpet"}.__contains__)
    assert frequency("fire truck") == pytest.approx(4e-6)
    assert frequency("car pet") == pytest.approx(1e-7)
    assert frequency("big fire truck") == 0


def test_two_sources_are_averaged_and_one_suffices():
    frequency = Frequencies({"web": 1e-2, "only": 2e-4}, {"web": 1e-4, "other": 3e-4})
    assert [frequency(w) for w in ("web", "only", "other", "none")] == pytest.approx([1e-3, 2e-4, 3e-4, 0])


# --- forms


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
        ("merry-go-round", "merry-go-rounds"),
    ],
)
def test_plurals_inflect_the_head_noun(inflector, wordnet, singular, plural):
    if not wordnet.exceptions and "-" in singular and singular.split("-")[0] in ("man", "jack"):
        pytest.skip("this WordNet has no noun.exc")
    assert inflector.plurals(singular)[0] == plural


@pytest.mark.parametrize("noun", ["furniture", "lightning", "Canis familiaris", "genus Canis", "rice"])
def test_what_has_no_plural_gets_none(inflector, noun):
    assert inflector.forms([noun]).plurals == ()


@pytest.mark.parametrize(
    ("noun", "is_plural"),
    [("scissors", True), ("bermuda shorts", True), ("lens", False), ("bus", False), ("glass", False), ("iris", False),
     ("triceratops", False), ("cola", False), ("dog", False)],
)  # fmt: skip
def test_plural_entries_are_told_from_singulars_in_s(inflector, noun, is_plural):
    assert inflector.is_plural(noun) is is_plural


@given(
    st.lists(st.sampled_from(["ax", "axe", "x-ray", "x ray", "sheep"]), max_size=3, unique=True),
    st.lists(st.sampled_from(["axes", "x-rays", "sheep"]), max_size=2, unique=True),
    st.dictionaries(st.sampled_from(["ax", "axe", "x ray", "axes", "sheep"]), st.floats(0, 1)),
)
def test_form_shares_are_positive_and_sum_to_one(singulars, plurals, table):
    if not singulars and not plurals:
        return
    shares = form_shares(tuple(singulars), tuple(plurals), lambda form: table.get(canon(form), 0.0), 1e-7)
    assert [len(part) for part in shares] == [len(singulars), len(plurals)]
    assert sum(map(sum, shares)) == pytest.approx(1)
    assert min(shares[0] + shares[1]) > 0


# --- senses and selection


def test_untagged_senses_are_ordered_by_what_was_entered_first(wordnet):
    words = WordSenses(wordnet)
    assert words.by_mass("bullet train")[0].synset.lexname == "artifact"
    assert [sense.key for sense in words.by_mass("abacus")] == ["abacus%1:06:00::", "abacus%1:06:01::"]


def test_names_are_not_objects_and_tagged_senses_come_first(tiny):
    table, counts = build_lexicon(tiny, FULL, rules_of(), frequencies_of({}))
    crane = table.filter(pl.col("noun") == "crane").row(0, named=True)
    assert crane["synsets"] == ["n00000005", "n00000004"]
    assert crane["sense_keys"] == ["crane%1:06:00::", "crane%1:05:00::"]
    assert (crane["kind"], crane["gloss"]) == ("artifact", "lifts heavy objects")
    assert crane["hypernyms"] == ["artifact", "entity"]
    assert crane["hypernym_synsets"] == ["n00000003", "n00000001"]
    assert counts.flows[0].dropped["name of a single thing (min_visualness)"] == 1


def test_later_senses_stand_behind_others(tiny):
    rules = rules_of(later=[{"senses": "crane%1:06:00::", "reason": "a test"}])
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    assert table.filter(pl.col("noun") == "crane")["kind"].item() == "animal"


def test_leading_senses_stand_before_others(tiny):
    rules = rules_of(leading=[{"senses": "crane%1:05:00::", "reason": "a test"}])
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    assert table.filter(pl.col("noun") == "crane")["kind"].item() == "animal"


def test_pictures_of_a_sense_and_its_name_in_an_image_set_put_it_first(tiny):
    pictured = rules_of(pictured=frozenset({"crane%1:05:00::"}))
    assert kinds_of_crane(tiny, pictured) == "artifact"  # three times a mass of 1.5 is less than 4
    assert kinds_of_crane(tiny, rules_of(listed_senses={"crane": "crane%1:05:00::"})) == "animal"


def kinds_of_crane(tiny: WordNet, rules: Rules) -> str:
    table, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    return str(table.filter(pl.col("noun") == "crane")["kind"].item())


def test_words_are_left_out_of_photographed_lexicons_only(tiny):
    rules = rules_of(leave_out=[{"words": "dog", "reason": "a test"}])
    everything, _ = build_lexicon(tiny, FULL, rules, frequencies_of({}))
    some, _ = build_lexicon(tiny, FULL.model_copy(update={"photographed": True}), rules, frequencies_of({}))
    assert "dog" in nouns_of(everything)
    assert "dog" not in nouns_of(some)


@pytest.mark.parametrize(
    ("words", "message"), [("dog, pooch, Dog", "twice: dog"), ("unicorn", "without effect.*unicorn")]
)
def test_words_left_out_must_be_there_to_be_left_out(tiny, words, message):
    with pytest.raises(NounflowError, match=message):
        build_lexicon(tiny, FULL, rules_of(leave_out=[{"words": words, "reason": "a test"}]), frequencies_of({}))


# --- filters


def build_tiny(tiny: WordNet, table: dict[str, float], **settings: object) -> tuple[pl.DataFrame, Counts]:
    return build_lexicon(tiny, FULL.model_copy(update=settings), rules_of(), frequencies_of(table), words_only)


def test_rare_synonyms_give_way_to_the_common_word(tiny):
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
def test_each_filter_drops_and_counts(tiny, settings, gone, stays):
    table, counts = build_tiny(tiny, {"dog": 1e-2, "can": 1e-3, "crane": 1e-4}, **settings)
    assert gone not in nouns_of(table)
    assert stays in nouns_of(table)
    for flow in counts.as_dict()["flows"]:
        assert flow["in"] - sum(flow["dropped"].values()) + sum(flow["added"].values()) == flow["out"]


def test_of_the_names_of_an_image_class_the_commonest_passes_all_filters(tiny):
    rules = rules_of(listed=(("tin can", "unknown"), ("pooch", "domestic dog")))
    frequencies = frequencies_of({"dog": 1e-2, "pooch": 1e-6})
    table, _ = build_lexicon(tiny, LexiconConfig(max_pieces=0), rules, frequencies)
    assert nouns_of(table) == ["dog", "pooch", "tin can"]
    table, _ = build_lexicon(tiny, LexiconConfig(max_pieces=0, listed=False), rules, frequencies)
    assert nouns_of(table) == ["dog"]


def test_a_filter_that_leaves_nothing_is_an_error_that_names_the_settings(tiny):
    with pytest.raises(NounflowError, match="is empty") as error:
        build_tiny(tiny, {}, min_weight=50.0)
    assert "min_weight" in str(error.value.fix)


def test_max_pieces_without_a_tokenizer_is_an_error(tiny):
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
def test_a_broken_rule_file_is_named(tmp_path, change: Callable[[str], str] | None, message):
    path = tmp_path / "rules.yaml"
    if change:
        path.write_text(change("shares: []\n"))
    with pytest.raises(NounflowError, match=message) as error:
        load_rules(path)
    assert str(path) in str(error.value)


def test_a_rule_for_a_sense_that_wordnet_lacks_is_an_error(tiny):
    rules = rules_of(later=[{"senses": "unicorn%1:05:00::", "reason": "a test"}])
    with pytest.raises(NounflowError, match="unicorn%1:05:00::"):
        build_lexicon(tiny, FULL, rules, frequencies_of({}))


# --- the lexicons


def test_small_has_the_size_and_the_everyday_words_it_promises(small):
    table, _ = small
    assert 4500 <= table.height <= 6500
    nouns = set(table["canon"])
    everyday = EVERYDAY.split()
    assert [noun for noun in everyday if noun not in nouns] == []
    two = ["fire truck", "polar bear", "bell pepper", "praying mantis", "great white shark", "hot air balloon"]
    assert [noun for noun in two if noun not in nouns] == []
    assert sorted({"village", "school", "bank", "food", "lady", "receipt", "credit card", "person"} - nouns) == []
    assert nouns.isdisjoint({"system", "may", "aspirin tablet", "bacteria", "domestic dog", "canis", "doe eyes"})


def test_breeds_are_in_small_and_latin_names_are_aliases(small):
    table, _ = small
    nouns = set(nouns_of(table))
    assert (
        sorted({"German shepherd", "Siberian husky", "Pekinese", "American flag", "Christmas tree", "TV"} - nouns) == []
    )
    assert nouns.isdisjoint({"Canis familiaris", "London", "Crane"})
    aliases = dict(table.select("canon", "aliases").iter_rows())
    assert "Canis familiaris" in aliases["dog"]


@pytest.mark.parametrize(
    ("noun", "gloss"),
    [("plate", "dish"), ("cake", "baked goods"), ("zombie", "a dead body"), ("cup", "a small open container"),
     ("bank", "a building"), ("mouse", "any of numerous small rodents"), ("crane", "large long-necked")],
)  # fmt: skip
def test_a_word_leads_with_the_sense_that_one_photographs(small, noun, gloss):
    assert small[0].filter(pl.col("canon") == noun)["gloss"].item().startswith(gloss)


def test_a_plural_that_is_another_word_weighs_little(small, full):
    weights = dict(full[0].select("canon", "weight").iter_rows())
    assert weights["doe"] < weights["deer"]
    assert weights["sander"] < log_weight(load_frequencies(lambda _: True)("sanders"))


def test_full_keeps_nearly_forty_thousand(full):
    table, counts = full
    assert table.height >= 38_000
    assert {"Canis familiaris", "dog", "Siamese cat"} <= set(nouns_of(table))
    assert "genus Canis" not in set(nouns_of(table))
    counts.as_dict()


@pytest.mark.parametrize("which", ["small", "full"])
def test_lexicons_are_whole(which, request):
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


def test_the_command_line_writes_the_same_lexicon_twice(tmp_path, tiny, repository):
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


def test_a_lexicon_of_the_plain_columns_is_read_without_further_meanings(tiny, tmp_path):
    table, _ = build_lexicon(tiny, FULL, rules_of(), frequencies_of({"dog": 1e-2}))
    write_table(tmp_path / "nouns.parquet", table, NOUNS)
    read = read_lexicon(tmp_path / "nouns.parquet")
    assert read.columns == table.columns
    assert read["sense_keys"].to_list() == read["hypernym_synsets"].to_list() == [[]] * len(table)
