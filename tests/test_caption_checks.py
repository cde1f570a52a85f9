"""Checks of captions, their report and command, import of published captions and prompts, sizes by formula."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow import cli
from nounflow.captions import distinct, json_list
from nounflow.captions.check_page import as_markdown, comparison
from nounflow.captions.check_report import CaptionReport, LLMUsage, ReportTally, count_checks
from nounflow.captions.checking import check_file
from nounflow.captions.checks import CaptionChecks, number_of, with_secondary
from nounflow.captions.distinct import DistinctNgrams
from nounflow.captions.mentions import FormIndex
from nounflow.captions.near_duplicates import Kept, shingles, similarity
from nounflow.captions.prompts import read_prompts, template_rows
from nounflow.captions.published import NounMatcher, PublishedNoun, import_captions, read_published
from nounflow.captions.sizes import NumberSizes, RecipeSizes
from nounflow.captions.spool import Spool
from nounflow.captions.table import Rows
from nounflow.captions.templates import Templates
from nounflow.captions.wording import meta_fault, reads_as_english
from nounflow.captions.writing import write_draft
from nounflow.config.captions import ChecksConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.schemas.tables import CAPTIONS, NOUNS, read_table, write_table

# noun, singulars, plurals, parents, gloss, weight
ENTRIES = [
    ("dog", "dog", "dogs", "canine<animal", "a domesticated animal that barks", 9),
    ("hot dog", "hot dog", "hot dogs", "sandwich<food", "a sausage in a roll", 5),
    ("owl", "owl", "owls", "bird<animal", "nocturnal bird of prey", 6),
    ("bird", "bird", "birds", "animal", "an animal with feathers", 8),
    ("sheep", "sheep", "sheep", "animal", "woolly animal", 6),
    ("scissors", "", "scissors", "tool", "a tool with two blades", 6),
    ("table", "table", "tables", "furniture", "a piece of furniture", 8),
    ("kitchen", "kitchen", "kitchens", "room", "a room for cooking", 7),
    ("X-ray", "X-ray", "X-rays", "photograph", "a radiogram", 5),
    ("St. Bernard", "St. Bernard", "St. Bernards", "canine<animal", "a large dog", 3),
    ("PC", "PC", "PCs", "computer", "a small computer", 5),
    ("sofa", "sofa", "sofas", "seat", "an upholstered seat", 6),
    ("couch", "couch", "couches", "seat", "an upholstered seat", 5),
    ("ax", "ax;axe", "axes", "tool", "an edge tool", 5),
    ("axis", "axis", "axes", "line", "a straight line", 3),
    ("green bean", "green bean", "green beans", "vegetable", "a bean", 5),
    ("bean sprout", "bean sprout", "bean sprouts", "vegetable", "a sprout", 4),
    ("watch", "watch", "watches", "timepiece", "a small clock", 6),
    ("kimono", "kimono", "kimonos", "robe", "a loose robe", 4),
]
IDS = {entry[0]: i for i, entry in enumerate(ENTRIES)}


@pytest.fixture(scope="module")
def nouns(tmp_path_factory):
    rows = []
    for i, (noun, ones, many, parents, gloss, weight) in enumerate(ENTRIES):
        singulars, plurals = ([form for form in text.split(";") if form] for text in (ones, many))
        split = 0.75 if singulars and plurals else 1.0
        rows.append(
            {
                "id": i, "key": f"key-{noun}", "noun": noun,
                "canon": noun.lower().replace("-", " ").replace(".", ""), "kind": "artifact",
                "synsets": [f"{noun}%1"], "gloss": gloss, "hypernyms": parents.split("<"),
                "singulars": singulars, "singular_shares": [split / len(singulars) for _ in singulars],
                "plurals": plurals,
                "plural_shares": [(1 - split if singulars else 1.0) / len(plurals) for _ in plurals],
                "frequency": 1e-5, "weight": float(weight),
            }
        )  # fmt: skip
    path = tmp_path_factory.mktemp("lexicon") / "nouns.parquet"
    write_table(path, pl.DataFrame(rows), NOUNS)
    return read_table(path, NOUNS, "lexicon")


@pytest.fixture(scope="module")
def checks(nouns):
    return CaptionChecks(nouns, ChecksConfig())


def table_of(*captions):
    """(text, noun or nouns, template) -> a table of schema CAPTIONS."""
    rows = Rows()
    for text, named, *template in captions:
        targets = [IDS[noun] for noun in ([named] if isinstance(named, str) else named)]
        rows.add(text, targets, 1.0, template[0] if template else "t")
    return rows.frame()


def named(index, text, wanted=()):
    names = list(IDS)
    return [names[mention.senses[0].noun] for mention in index.read(text, wanted).mentions]


# --- mentions ---


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A dog eats a hot dog.", ["dog", "hot dog"]),
        ("A hot-dog stand and two hot dogs.", ["hot dog", "hot dog"]),
        ("It is hot. Dog lovers stay at home.", ["dog"]),
        ("The dog's bowl, the dogs' bowls and a dog’s bed.", ["dog", "dog", "dog"]),
        ("A doghouse, hotdogs and owlish eyes.", []),
        ("An x ray, an X-ray and many x-rays.", ["X-ray", "X-ray", "X-ray"]),
        ("A St Bernard and a St. Bernard near a saint.", ["St. Bernard", "St. Bernard"]),
        ("The PC is not pc.", ["PC"]),
        ("A green bean sprout.", ["green bean"]),
        ("", []),
        ("... !?", []),
    ],
)
def test_a_text_names_the_longest_nouns_in_any_spelling(nouns, text, found):
    assert named(FormIndex(nouns), text) == found


def test_of_two_nouns_that_overlap_the_wanted_one_counts(nouns):
    index = FormIndex(nouns)
    assert named(index, "A green bean sprout.", [IDS["bean sprout"]]) == ["bean sprout"]
    assert named(index, "A hot dog.", [IDS["dog"]]) == ["hot dog"]  # inside a longer one it does not count


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([entry[0] for entry in ENTRIES]), min_size=1, max_size=5),
    st.sampled_from(["upper", "lower", "title"]),
)
def test_every_noun_of_a_list_is_found_in_order_whatever_the_case(nouns, entries, case):
    entries = [entry for entry in entries if entry != "PC" or case == "upper"]
    text = ", ".join(getattr(entry, case)() for entry in entries)
    assert named(FormIndex(nouns), text) == entries


# --- single checks ---

SOUND = "A {} stands beside the old wooden door."


@pytest.mark.parametrize(
    ("text", "noun", "fault"),
    [
        (SOUND.format("dog"), "dog", None),
        ("Two dogs rest under a tree at noon.", "dog", None),
        ("Two small dogs and three sheep on the grass.", "sheep", None),
        ("Silk kimono with a floral pattern.", "kimono", None),
        ("The dog's favourite toy lies on the floor.", "dog", None),
        ("A sign that reads \"beware of the dog\" on a gate.", "dog", None),
        ("A green bean sprout on a white plate.", "bean sprout", None),
        ("", "dog", "empty"),
        ("   ", "dog", "empty"),
        ("Dog on grass.", "dog", "shorter than 4 words"),
        ("A dog " + "and so on " * 12, "dog", "longer than 30 words or 250 characters"),
        ("A dog " + "x" * 300 + " on the road.", "dog", "longer than 30 words or 250 characters"),
        ("Here is a caption: a dog on the grass.", "dog", "no caption alone: talk about the answer"),
        ("Sure, a dog runs over the grass.", "dog", "no caption alone: talk about the answer"),
        ("I'm sorry, a dog cannot be described.", "dog", "no caption alone: talk about the answer"),
        ("Caption 3: a dog on the green grass.", "dog", "no caption alone: talk about the answer"),
        ("\"A dog runs over the green grass.\"", "dog", "no caption alone: quotation marks around it"),
        ("'A dog runs over the green grass.'", "dog", "no caption alone: quotation marks around it"),
        ("A dog beside a \"welcome mat at home.", "dog", "no caption alone: a quotation mark without its partner"),
        ("A **dog** runs over the green grass.", "dog", "no caption alone: mark-up"),
        ("3. A dog runs over the green grass.", "dog", "no caption alone: numbering"),
        ("- A dog runs over the green grass.", "dog", "no caption alone: numbering"),
        ("A {singular} and a dog on the grass.", "dog", "no caption alone: a placeholder or code in it"),
        ("A dog runs.\nA dog sleeps on the bed.", "dog", "no caption alone: more than one line"),
        ("Ein dog liegt auf dem Sofa und schläft nicht.", "dog", "does not read as English"),
        ("El dog que se come los huesos en una calle.", "dog", "does not read as English"),
        ("Собака dog бежит по зелёной траве.", "dog", "does not read as English"),
        ("Dog blorfing xqzzt wumblic strundle.", "dog", "does not read as English"),
        (SOUND.format("cat"), "dog", "its noun is missing"),
        (SOUND.format("doghouse"), "dog", "its noun is missing"),
        ("A hot dog with mustard on a plate.", "dog", "its noun stands only inside a longer noun"),
        ("There is a dogs, and it is asleep.", "dog", "a word of number and its noun disagree"),
        ("There are two dog, both of them asleep.", "dog", "a word of number and its noun disagree"),
        ("Two dog sleds wait in the deep snow.", "dog", None),
        ("A scissors case lies in the drawer.", "scissors", None),
    ],
)  # fmt: skip
def test_a_caption_is_kept_or_refused_for_the_reason_that_is_wrong_with_it(checks, text, noun, fault):
    assert checks.check(text, [IDS[noun]]).fault == fault


@pytest.mark.parametrize(
    ("text", "noun", "number", "fault"),
    [
        ("Two dogs rest under a tree.", "dog", "plural", None),
        ("Two dogs rest under a tree.", "dog", "singular", "its noun is not in the singular"),
        ("The dog rests under a tree.", "dog", "plural", "its noun is not in the plural"),
        ("The sheep rest under a tree.", "sheep", "plural", None),
        ("The sheep rests under a tree.", "sheep", "singular", None),
        ("The dog's friends rest under a tree.", "dog", "singular", None),
        ("One dog among many dogs on the beach.", "dog", "plural", None),
    ],
)
def test_the_number_that_a_source_says_is_held_to(checks, text, noun, number, fault):
    assert checks.check(text, [IDS[noun]], number).fault == fault


def test_the_number_comes_from_the_end_of_a_template_id():
    assert [number_of(name) for name in ("published-plural", "singular", "core-photo", "plurals", "x-singular")] == [
        "plural", "singular", None, None, "singular",
    ]  # fmt: skip


def test_all_nouns_of_a_caption_must_be_there(checks):
    assert checks.check("An owl sits beside a dog.", [IDS["owl"], IDS["dog"]]).fault is None
    assert checks.check("An owl sits beside a cat.", [IDS["owl"], IDS["dog"]]).fault == "its noun is missing"


@pytest.mark.parametrize("text", ["Kimonos and sushi at a Tokyo festival.", "A schnauzer beside a croissant stand."])
def test_loan_words_do_not_make_a_caption_foreign(checks, text):
    assert reads_as_english(text.lower().strip(".").split())
    assert meta_fault(text) is None


FOREIGN = """
Un perro dog corre por la playa. | El dog duerme en el sofá rojo. | Tres niños abrazan a su dog. | Un dog en la calle
Ein dog liegt auf dem Sofa. | Mein dog trägt einen roten Hut. | Großer dog vor altem Haus | Ein brauner dog am Strand.
Un dog devant la maison. | Une photo d'un dog noir. | Il dog dorme sul divano rosso. | O dog dorme no sofá vermelho.
De dog slaapt op de rode bank. | En svart dog sover i soffan. | Czarny dog śpi na kanapie. | Bir dog kumsalda koşuyor.
Собака dog спит на диване. | dog 在红色沙发上睡觉 非常 可爱 | A dog 在草地上跑 很快 | كلب dog يجري على العشب
dog が 赤い ソファで 寝ている | Mbwa dog mweusi anakimbia haraka ufukweni | Dog xqzzt wumblic strundle frobnitz
"""
NATIVE = """
A dog eats sushi and ramen in an izakaya. | A dog named Señor Pérez on a hacienda porch. | A dog beside crème brûlée.
The dog runs past a café in Paris. | El Capitan towers over a dog in Yosemite. | Dog beside a piñata at a quinceañera.
A dog at the Oktoberfest with pretzels and bratwurst. | A dog in a dirndl drinks from a stein.
A dog on the Plaza de la Constitución in Mexico City. | A dog at a déjà vu art installation.
A dog with kimchi, bibimbap and bulgogi. | A dog watches paella de mariscos cooking. | Dog near a chaise longue.
"""


def sentences(text):
    return [sentence.strip() for line in text.strip().splitlines() for sentence in line.split("|")]


@pytest.mark.parametrize("text", sentences(FOREIGN))
def test_a_caption_in_another_language_is_refused(checks, text):
    assert checks.check(text, [IDS["dog"]]).fault == "does not read as English"


@pytest.mark.parametrize("text", sentences(NATIVE))
def test_an_english_caption_with_foreign_words_is_kept(checks, text):
    assert checks.check(text, [IDS["dog"]]).fault is None


# --- secondary nouns ---


@pytest.mark.parametrize(
    ("text", "noun", "others"),
    [
        ("A dog and an owl sit on a table.", "dog", ["owl", "table"]),
        ("A dog under the kitchen table at night.", "dog", ["table"]),  # kitchen only describes the table
        ("An owl, a nocturnal bird, in an old tree.", "owl", []),  # a parent says what it is
        ("A sofa, or couch, in a bright room.", "sofa", []),  # a synonym
        ("A dog watches a sheep on the hill.", "dog", ["sheep"]),  # a verb
        ("A photo of a dog eating a hot dog.", "dog", ["hot dog"]),
        ("A dog beside several axes in a shed.", "dog", ["ax"]),  # of two nouns the heavier one
        ("A dog looks at another dog on the road.", "dog", []),
    ],
)
def test_secondary_nouns_are_found_but_not_what_only_describes(checks, text, noun, others):
    result = checks.check(text, [IDS[noun]])
    assert (result.fault, [list(IDS)[other] for other in result.others]) == (None, others)


def test_secondary_nouns_become_targets_with_a_share_of_the_weight(checks):
    table = table_of(
        ("A dog and an owl sit on a table.", "dog"), ("A cat sits on a table.", "dog"), ("The dog sleeps well.", "dog")
    )
    kept = with_secondary(table, checks.check_table(table), 0.2)
    assert kept["text"].to_list() == ["A dog and an owl sit on a table.", "The dog sleeps well."]
    assert kept["targets"].to_list() == [[IDS["dog"], IDS["owl"], IDS["table"]], [IDS["dog"]]]
    assert kept["target_weights"].to_list() == [pytest.approx([0.8, 0.1, 0.1]), [1.0]]
    assert kept.schema == table.schema


# --- near-duplicates ---


def test_a_caption_that_says_the_same_with_other_small_words_or_spellings_is_refused(checks):
    table = table_of(
        ("A large ax leans against the wall of the barn.", "ax"),
        ("The large axe leans against a wall of the barn.", "ax"),
        ("A large ax leans against the red wall of the barn.", "ax"),
        ("The ax was left in a tree trunk.", "ax"),
        ("A large dog leans against the wall of the barn.", "dog"),  # of another noun
    )
    faults = [result.fault for result in checks.check_table(table)]
    nearly = "nearly the same as another caption of the noun"
    assert faults == [None, "the same as another caption of the noun", nearly, None, None]


WORDS = st.lists(st.sampled_from(["red", "blue", "dog", "runs", "over", "grass", "near", "river"]), max_size=9).map(
    tuple
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=12), st.floats(0.3, 1))
def test_kept_captions_are_pairwise_below_the_threshold_and_refused_ones_near_a_kept_one(captions, threshold):
    kept = Kept(threshold)
    survivors = []
    for words in captions:
        fault = kept.fault(words)
        nearest = max((similarity(shingles(words), shingles(other)) for other in survivors), default=-1)
        assert (fault is not None) == (words in survivors or nearest >= threshold)
        if fault is None:
            survivors.append(words)


# --- report ---


def make_report(source, table, checked, nouns, usage=None):
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        tally = ReportTally(source, Counter(result.fault for result in checked), nouns, spool)
        tally.add(table, checked)
        return tally.report(usage)


def distinct_ngrams(texts):
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        ngrams = DistinctNgrams(spool)
        for text in texts:
            ngrams.add(text)
        return ngrams.shares()


MIXED = [
    ("A dog sleeps on a sofa at home.", "dog"), ("The dog sleeps on the sofa at home.", "dog"), ("Dog.", "dog"),
    ("Sure, here is a dog on the road.", "dog"), ("An owl in a tree at night.", "owl"),
    ("No bird is here at all.", "owl"),
]  # fmt: skip


def test_the_report_tallies(checks, nouns):
    table = table_of(*MIXED)
    checked = checks.check_table(table)
    report = make_report(
        "mixed", table, checked, nouns, LLMUsage(calls=2, input_tokens=50, output_tokens=90, cost_usd=0.01)
    )
    assert report.refused == {
        "its noun is missing": 1,
        "no caption alone: talk about the answer": 1,
        "shorter than 4 words": 1,
        "the same as another caption of the noun": 1,
    }
    assert report.kept + sum(report.refused.values()) == report.captions == len(MIXED)
    assert report.share_kept == pytest.approx(2 / 6)
    assert report.usd_per_1000_kept == pytest.approx(5.0)
    assert report.nouns.model_dump() == {
        "asked": 2, "without": 0, "fewest": 1, "mean": 1.0, "poorest": {"dog": 1, "owl": 1}
    }  # fmt: skip
    assert report.secondary_nouns == {"sofa": 1}
    assert [flow["out"] for flow in count_checks(report).as_dict()["flows"]] == [2, 2]
    assert CaptionReport.model_validate_json(report.model_dump_json()) == report
    page = as_markdown(report)
    for text in ("2 of 6 captions kept: 33.3%.", "| its noun is missing | 1 | 16.67% |", "5.0000 USD per 1,000 kept"):
        assert text in page


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(MIXED + [(text.replace(".", f" {i}."), noun) for i in "12" for text, noun in MIXED]),
                min_size=1, max_size=30), st.integers(1, 32))  # fmt: skip
def test_a_file_checked_window_by_window_gives_the_report_and_rows_of_all_at_once(checks, nouns, captions, window):
    table = table_of(*captions)
    checked = checks.check_table(table)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "any.parquet", table, CAPTIONS)
        report = check_file(
            folder / "any.parquet", nouns, checks.settings, folder, folder / "kept.parquet", None, window
        )
        kept = read_table(folder / "kept.parquet", CAPTIONS, "captions")
        assert sorted(path.name for path in folder.iterdir()) == ["any.parquet", "kept.parquet"]
    assert report == make_report("any", table, checked, nouns)
    assert kept.equals(with_secondary(table, checked, checks.settings.secondary_share))


def test_captions_of_another_lexicon_are_refused(nouns, tmp_path):
    for targets in ([len(IDS)], []):
        rows = Rows()
        rows.add("A dog sleeps on the sofa.", targets, 1.0, "t")
        write_table(tmp_path / "other.parquet", rows.frame(), CAPTIONS)
        with pytest.raises(NounflowError, match="nouns that the lexicon does not have"):
            check_file(tmp_path / "other.parquet", nouns, ChecksConfig(), tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(MIXED), max_size=20))
def test_any_table_tallies_and_every_text_has_one_result(checks, nouns, captions):
    table = table_of(*captions) if captions else Rows().frame()
    checked = checks.check_table(table)
    report = make_report("any", table, checked, nouns)
    assert len(checked) == len(captions)
    assert report.kept + sum(report.refused.values()) == len(captions)
    assert report.usd_per_1000_kept is None
    assert len(set(zip(*[iter(report.samples)], strict=True))) == report.kept  # fewer than twenty: all of them
    as_markdown(report)


def test_an_unknown_price_gives_no_cost(checks, nouns):
    table = table_of(*MIXED)
    report = make_report("x", table, checks.check_table(table), nouns, LLMUsage(calls=3))
    assert report.usd_per_1000_kept is None
    assert "the price is not known" in as_markdown(report)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["red", "Dog,", "runs", "far."]), max_size=6).map(" ".join), max_size=20),
       st.integers(0, 9))  # fmt: skip
def test_distinct_n_is_that_of_sets_also_where_hashes_go_to_disk(texts, held):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "_HELD", held)
        found = distinct_ngrams(texts)
    words = [[word.strip(".,").lower() for word in text.split()] for text in texts]
    for n in (1, 2, 3):
        ngrams = [tuple(line[i : i + n]) for line in words for i in range(len(line) - n + 1)]
        assert found[str(n)] == (len(set(ngrams)) / len(ngrams) if ngrams else 0.0)


def test_reports_stand_side_by_side_with_all_reasons(checks, nouns):
    mixed = table_of(*MIXED)
    good = table_of(("A dog | sleeps on a sofa at home.", "dog"))
    usage = LLMUsage(calls=2, cost_usd=0.01)
    reports = [make_report("mixed", mixed, checks.check_table(mixed), nouns, usage),
               make_report("good", good, checks.check_table(good), nouns)]  # fmt: skip
    lines = comparison(reports, ["mixed", "good"]).splitlines()
    for line in ("| share kept | 33.3% | 0.0% |", "| USD per 1,000 kept | 5.0000 | - |",
                 "| its noun is missing | 16.67% | 0.00% |",
                 "| no caption alone: a placeholder or code in it | 0.00% | 100.00% |"):  # fmt: skip
        assert line in lines


def test_distinct_n_counts_different_ngrams_over_all():
    assert distinct_ngrams(["a dog runs", "A dog sleeps."]) == {"1": 4 / 6, "2": 3 / 4, "3": 1.0}
    assert distinct_ngrams(["a"]) == {"1": 1.0, "2": 0.0, "3": 0.0}


# --- published captions ---

PUBLISHED = [
    {
        "id": 7, "target_noun": "dog", "pretty_noun": "dog", "singulars": ["dog"], "singulars_freq": [5],
        "plurals": ["dogs"], "plurals_freq": [3], "hypernyms": [], "num_singular_captions": 50,
        "num_plural_captions": 30,
        "singular_captions": ["A {singular} runs after another {singular}", "An old {singular} sleeps",
                              "A {singular} runs after another {singular}", "nothing here", "a {plural} {singular}"],
        "plural_captions": ["{plural} play in the snow."],
    },
    {"target_noun": "axe", "singulars": ["axe"], "plurals": ["axes"],
     "singular_captions": ["A {singular} in a log"], "plural_captions": []},
    {"target_noun": "pair of scissors", "singulars": ["pair of scissors"], "plurals": ["scissors"],
     "singular_captions": ["A {singular} on a desk"], "plural_captions": ["Sharp {plural} on a desk"]},
    {"target_noun": "unicorn", "singulars": ["unicorn"], "plurals": ["unicorns"],
     "singular_captions": ["A {singular}", "the {singular}"], "plural_captions": ["many {plural}"]},
]  # fmt: skip


def published(entries=PUBLISHED):
    return [PublishedNoun.model_validate(entry) for entry in entries]


def imported(nouns, entries):
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        path = Path(folder) / "captions.parquet"
        draft, unmatched = import_captions(nouns, entries, spool)
        counts = write_draft(path, draft)
        return read_table(path, CAPTIONS, "captions"), counts, unmatched


def test_published_captions_become_texts_of_each_form_with_the_nouns_weight(nouns):
    table, _, unmatched = imported(nouns, published())
    by_noun = {
        noun: dict(table.filter(pl.col("targets").list.first() == IDS[noun]).select("text", "weight").iter_rows())
        for noun in ("dog", "ax", "scissors")
    }
    assert set(by_noun["dog"]) == {"A dog runs after another dog.", "An old dog sleeps.", "Dogs play in the snow."}
    assert set(by_noun["ax"]) == {"An ax in a log.", "An axe in a log."}  # articles are mended
    assert set(by_noun["scissors"]) == {"Sharp scissors on a desk."}
    assert {noun: sum(weights.values()) for noun, weights in by_noun.items()} == pytest.approx(
        {"dog": 9, "ax": 5, "scissors": 6}
    )
    assert by_noun["dog"]["Dogs play in the snow."] == pytest.approx(9 / 4)
    assert set(table["template"]) == {"published-singular", "published-plural"}
    assert unmatched == ["unicorn"]


def test_what_of_the_published_captions_is_not_used_is_counted(nouns):
    entries, captions, lexicon = imported(nouns, published())[1].as_dict()["flows"]
    assert (entries["in"], entries["dropped"], entries["out"]) == (4, {"no form of it is in the lexicon": 1}, 3)
    assert captions["dropped"] == {
        "it has no place for the noun": 1,
        "it has other braces than the place for the noun": 1,
        "the same as another caption of the noun": 1,
        "its noun is not in the lexicon": 3,
        "the noun has no singular in the lexicon": 1,
    }
    assert (captions["in"], captions["added"], captions["out"]) == (
        12, {"written with a further form of the noun": 1}, 6,
    )  # fmt: skip
    assert lexicon["out"] == 3


@pytest.mark.parametrize(
    ("entries", "reason"),
    [([], "no captions in the file"),
     ([{"target_noun": "unicorn", "singular_captions": ["a {singular}"]}], "its noun is not in the lexicon: 1"),
     ([{"target_noun": "dog", "singular_captions": ["a thing"]}], "it has no place for the noun: 1")],
)  # fmt: skip
def test_a_file_of_which_nothing_can_be_used_is_refused_with_the_reasons(nouns, entries, reason):
    with pytest.raises(NounflowError, match="published captions can be used") as error:
        imported(nouns, published(entries))
    assert reason in str(error.value)


def test_an_entry_is_matched_by_its_name_before_its_forms(nouns):
    entries = published(
        [
            {"target_noun": "axis", "plurals": ["axes"], "singulars": ["axe", "ax"]},
            {"target_noun": "hatchet", "plurals": ["axes"], "singulars": ["axe"]},
            {"target_noun": "x ray", "pretty_noun": "x-ray"},
            {"target_noun": "st bernard"},
        ]
    )
    matched = map(NounMatcher(nouns).match, entries)
    assert [list(IDS)[noun] for noun in matched] == ["axis", "ax", "X-ray", "St. Bernard"]


def test_imported_captions_pass_the_number_check(nouns, checks):
    table, _, _ = imported(nouns, published())
    faults = Counter(result.fault for result in checks.check_table(table))
    assert not any("not in the" in str(fault) or "missing" in str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "A JSON list is expected"), ('[{"target_noun": 3}]', "target_noun"), ("[", "not readable JSON"),
     ('[{"singulars": []}]', "entry 0"), ('["dog"]', "an object is expected"),
     ('[{"target_noun": "dog", "plurals": "dogs"}]', "plurals: Input should be a valid list")],
)  # fmt: skip
def test_another_layout_of_published_captions_is_refused(tmp_path, content, message):
    (tmp_path / "captions.json").write_text(content)
    with pytest.raises(NounflowError) as error:
        list(read_published(tmp_path / "captions.json"))
    assert message in str(error.value)


# --- prompts ---

PROMPTS = {
    "prompts": {
        "A": [[1, "a photo of {article_noun}"], [2, "a painting of the {noun}."], [1, "one {singular} alone"],
              [1, "many {plural}"], [1, "a {singular} in a box"]],
        "B": [[3, "a photo of {article_noun}."], [1, "the {singular} by night"], [1, "the {noun} by night"],
              [1, "a {noun} toy"]],
    },
    "hypernyms": {"None": [[1, None]]},
}  # fmt: skip


@pytest.fixture
def prompt_file(tmp_path):
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(PROMPTS))
    return path


def test_prompts_become_templates_whose_weights_add_up(prompt_file):
    counts = Counts("templates")
    prompts = read_prompts(prompt_file, ["A", "B"])
    rows = {number: template_rows(prompts, number, counts) for number in ("singular", "plural")}
    weights = {number: {text: int(weight) for _, weight, text, _ in rows[number]} for number in rows}
    assert weights["singular"] == {
        "a photo of {a_noun}.": 4, "a painting of the {noun}.": 2, "one {noun} alone.": 1, "{a_noun} in a box.": 1,
        "the {noun} by night.": 2, "{a_noun} toy.": 1,
    }  # fmt: skip
    assert weights["plural"] == {
        "a photo of {noun}.": 4, "a painting of the {noun}.": 2, "many {noun}.": 1, "the {noun} by night.": 1,
    }  # fmt: skip
    singular, plural = counts.as_dict()["flows"]
    assert singular["dropped"] == {"only for the plural": 1, "the same as another template (weights added)": 1}
    assert plural["dropped"] == {"only for the singular": 3, "a or an before a plural": 1}


def test_a_core_collection_says_which_templates_every_noun_gets(prompt_file):
    rows = template_rows(read_prompts(prompt_file, ["A"], core="B"), "singular", Counts("templates"))
    assert [text for name, _, text, core in rows if core == "1" and name.startswith("core-")] == [
        "a photo of {a_noun}."
    ]


@pytest.mark.parametrize(
    ("collections", "core", "content", "message"),
    [
        (["C"], None, None, "it has: A, B"),
        (["A"], "C", None, "no collection 'C'"),
        (["A"], None, {"prompts": {"A": [[1, "no place"]]}}, "exactly one place"),
        (["A"], None, {"prompts": {"A": [[1, "{noun} {noun}"]]}}, "exactly one place"),
        (["A"], None, {"prompts": {"A": [[1, "a {noun:>9}"]]}}, "exactly one place"),
        (["A"], None, {"prompts": {"A": [[0, "a {noun}"]]}}, "frequency"),
        (["A"], None, {"A": []}, "key `prompts`"),
    ],
)
def test_a_mistake_in_a_prompt_file_is_named(tmp_path, prompt_file, collections, core, content, message):
    if content is not None:
        prompt_file.write_text(json.dumps(content))
    with pytest.raises(NounflowError) as error:
        read_prompts(prompt_file, collections, core)
    assert message in str(error.value)


# --- sizes ---


@pytest.mark.parametrize(
    ("singular_weight", "plural_weight", "multiset"), [(110_040, 34_419, 13_392_981), (110_004, 34_445, 13_391_543)]
)
def test_the_published_multiset_sizes_follow_from_the_weights(singular_weight, plural_weight, multiset):
    sizes = RecipeSizes(
        NumberSizes(forms=65_201, form_weight=singular_weight, templates=85, template_weight=97),
        NumberSizes(forms=25_485, form_weight=plural_weight, templates=68, template_weight=79),
    )
    assert sizes.multiset == multiset
    assert sizes.distinct == 7_275_065
    assert round(sizes.samples() / 1e6, 1) == 40.2
    assert round(sizes.samples(captions=4) / 1e6, 1) == 51.7
    assert round(sizes.targets(captions=4) / 1e6, 1) == 91.9
    assert round(sizes.captions() / 1e6, 2) == 2.89


@settings(max_examples=60, deadline=None)
@given(*(st.lists(st.integers(1, 4), max_size=4) for _ in range(4)), st.integers(1, 3))
def test_the_formula_counts_what_making_the_tuples_gives(ones, one_templates, many, many_templates, m):
    sizes = RecipeSizes(NumberSizes.of(ones, one_templates), NumberSizes.of(many, many_templates))
    made = 0
    for forms, templates in ((ones, one_templates), (many, many_templates)):
        population = [form for form, weight in enumerate(forms) for _ in range(weight)]
        for _template, weight in enumerate(templates):
            for _ in range(weight):
                made += len(list(zip(*[population] * m, strict=True)))  # one permutation for each place
    assert sizes.multiset == made
    frequencies = [0] * (m - 1) + [2]
    assert sizes.samples(frequencies) == 2 * made
    assert sizes.targets(frequencies, captions=1) == 2 * m * made + sizes.captions()


# --- large files ---


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_a_json_list_is_read_in_pieces_of_any_size(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(json_list, "_CHUNK", chunk)
    path = tmp_path / "list.json"
    for values in ([], [1], [12, -3.5e2, 'a]b,\\"', None, True, {"x": [1, {"y": "é"}]}, []]):
        for text in (json.dumps(values), json.dumps(values, indent=1, ensure_ascii=False) + " \n"):
            path.write_text(text, encoding="utf-8")
            assert list(json_list.read_json_list(path, "list")) == values


@pytest.mark.parametrize(
    "text", ["", " ", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] x", '["a', "{", "nothing", '{"a": 1}']
)
def test_what_is_no_json_list_is_one_message(tmp_path, monkeypatch, text):
    monkeypatch.setattr(json_list, "_CHUNK", 2)
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(NounflowError, match="list of things") as error:
        list(json_list.read_json_list(path, "list of things"))
    assert str(path) in str(error.value)


# --- the command lines ---


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `nounflow captions ...` in a folder; returns its exit status and what it printed on stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*options):
        status = 0
        try:
            cli.main(["captions", *map(str, options)])
        except SystemExit as left:
            status = left.code
        return (status, *capsys.readouterr())

    return run


def test_the_check_is_a_command_with_an_exit_status_and_its_reports_compare(command, nouns, tmp_path):
    write_table(tmp_path / "nouns.parquet", nouns, NOUNS)
    for name, captions in (("mixed", MIXED), ("good", [MIXED[0], MIXED[4]])):
        write_table(tmp_path / f"{name}.parquet", table_of(*captions), CAPTIONS)
        out = f"{name}.check.json"
        status, page, errors = command("check", f"{name}.parquet", "--nouns", "nouns.parquet", "--out", out)
        assert status == (name == "mixed"), errors
        assert f"# Checked captions: {name}" in page
        assert (tmp_path / f"{name}.check.md").read_text() == page
    assert command("check", "mixed.parquet", "--nouns", "nouns.parquet", "--min-yield", 0.3)[0] == 0
    status, page, errors = command("compare", "mixed.check.json", "good.check.json", "--out", "both.md")
    assert status == 0, errors
    assert "| share kept | 33.3% | 100.0% |" in page.splitlines()
    assert (tmp_path / "both.md").read_text() == page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("compare", "mixed.parquet"), "report of checked captions"),
        (("check", "none.parquet", "--nouns", "nouns.parquet"), "There is no file of captions"),
        (("check", "nouns.parquet", "--nouns", "nouns.parquet"), "lacks the columns text"),
        (("check", "text.json", "--nouns", "nouns.parquet"), "not a readable parquet file"),
    ],
)
def test_the_commands_answer_a_wrong_file_with_one_message(command, nouns, tmp_path, options, message):
    write_table(tmp_path / "nouns.parquet", nouns, NOUNS)
    write_table(tmp_path / "mixed.parquet", table_of(*MIXED), CAPTIONS)
    (tmp_path / "text.json").write_text("[]")
    status, _, errors = command(*options)
    assert (status, message in errors) == (1, True), errors


def run(repository, script, *options):
    command = [sys.executable, str(repository / "workflow_scripts" / script), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=repository, check=False)


def test_the_check_writes_its_report_and_fails_below_the_least_yield(repository, nouns, tmp_path):
    write_table(tmp_path / "nouns.parquet", nouns, NOUNS)
    write_table(tmp_path / "mixed.parquet", table_of(*MIXED), CAPTIONS)
    for least, status in ((0.3, 0), (0.5, 1)):
        out = tmp_path / str(status) / "mixed.check.json"
        done = run(
            repository, "check_captions.py", "--nouns", tmp_path / "nouns.parquet", "--captions",
            tmp_path / "mixed.parquet", "--out", out, "--kept", tmp_path / "kept.parquet", "--min-yield", least,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert ("Only 33.3% of the captions are kept" in done.stderr) == (status == 1)
        report = json.loads(out.read_text())
        assert (report["source"], report["kept"], report["captions"]) == ("mixed", 2, 6)
        assert "33.3%" in out.with_suffix(".md").read_text()
        assert read_table(tmp_path / "kept.parquet", CAPTIONS, "captions")["targets"].list.len().to_list() == [2, 1]


def test_the_imports_write_what_the_other_stages_read(repository, nouns, tmp_path, prompt_file):
    write_table(tmp_path / "nouns.parquet", nouns, NOUNS)
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    done = run(
        repository, "import_captions.py", "--nouns", tmp_path / "nouns.parquet", "--published",
        tmp_path / "published.json", "--out", tmp_path / "published.parquet", "--unmatched", tmp_path / "left.txt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 dropped: no form of it is in the lexicon" in done.stdout
    assert (tmp_path / "left.txt").read_text() == "unicorn\n"
    assert len(read_table(tmp_path / "published.parquet", CAPTIONS, "captions")) == 6
    done = run(
        repository, "import_templates.py", "--prompts", prompt_file, "--collections", "A | B",
        "--singular-templates", tmp_path / "one.tsv", "--plural-templates", tmp_path / "many.tsv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    templates = Templates.read(tmp_path / "one.tsv", tmp_path / "many.tsv")
    assert [len(templates.singular), len(templates.plural)] == [6, 4]
    assert sum(template.weight for template in templates.singular) == 11
