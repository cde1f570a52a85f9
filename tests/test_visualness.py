"""How photographable a synset is, and the tables that say so; damaged WordNet files."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.nouns.evidence import read_evidence
from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.selection import rank_names
from nounflow.nouns.spelling import Spellings, Words
from nounflow.nouns.visualness import Decision, terms, visualness
from nounflow.wordnet import WordNet


@pytest.fixture(scope="module")
def evidence(repository: Path) -> dict[str, object]:
    return read_evidence(repository / "resources/nouns")


@pytest.fixture(scope="module")
def verdicts(wordnet: WordNet, evidence: dict[str, Any]) -> Any:
    return visualness(wordnet, evidence["terms"], evidence["decisions"], evidence["pictured"])


@pytest.mark.parametrize(
    ("key", "photographed"),
    [
        ("dog%1:05:00::", True), ("receipt%1:10:00::", True), ("credit_card%1:21:00::", True),
        ("village%1:15:00::", True), ("lady%1:18:01::", True), ("brass_band%1:14:00::", True),
        ("maintenance%1:04:00::", False), ("herpes%1:05:00::", False), ("cheapskate%1:18:00::", False),
        ("genus_canis%1:05:00::", False), ("london%1:15:00::", False), ("thermoplastic%1:27:00::", False),
    ],
)  # fmt: skip
def test_senses_are_told_apart(wordnet: WordNet, verdicts: dict[str, Any], key: str, photographed: bool) -> None:
    verdict = verdicts[wordnet.sense_ids[key]]
    assert (verdict.score > 0.5) == photographed
    assert verdict.reason


def test_a_synset_without_decision_is_judged_by_its_terms(wordnet: WordNet, evidence: dict[str, Any]) -> None:
    dog = wordnet.by_sense_key("dog%1:05:00::")
    assert {"class:animal", "head:dog", "pictured", "below:animal%1:03:00::"} <= set(terms(wordnet, dog, True))
    plain = visualness(wordnet, {"bias": -1.0, "class:animal": 2.0}, {}, ())
    assert plain[dog.id].score == pytest.approx(0.731, abs=1e-3)


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ({"dog%1:05:00::": Decision(True, "a test")}, "without effect.*dog"),
        ({"dug%1:05:09::": Decision(True, "a test")}, "lacks"),
    ],
)
def test_decisions_must_have_an_effect_and_a_sense(
    wordnet: WordNet, decisions: dict[str, Decision], message: str
) -> None:
    with pytest.raises(NounflowError, match=message):
        visualness(wordnet, {"class:animal": 2.0}, decisions, ())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("visualness.tsv", "term\tweight\nclass:food\tmuch\n", "no number|not a number"),
        ("decisions.tsv", "a\tb\tc\ndog%1:05:00::\tyes\n", "2 fields where 3"),
        ("decisions.tsv", "a\tb\tc\nx%1\tyes\tabc\nx%1\tno\tabc\n", "second line for x%1"),
        ("spelling.tsv", "a\tb\ncolor\tcolo\x00ur\n", "fields|signs"),
    ],
)
def test_a_broken_table_is_named_by_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(NounflowError, match=message) as error:
        read_evidence(tmp_path)
    assert name in str(error.value)


def test_a_rank_is_an_alias_of_its_only_member(wordnet: WordNet) -> None:
    names = rank_names(wordnet)
    assert "Felidae" in names[wordnet.sense_ids["feline%1:05:00::"]]
    assert wordnet.sense_ids["wolf%1:05:00::"] not in names


def test_the_other_spelling_is_a_form_and_the_leading_one_wins() -> None:
    spellings = Spellings({"color": "colour", "gray": "grey"})
    assert spellings.variants(("gray wolf",), (), words_of({})) == ("gray wolf", "grey wolf")
    assert spellings.variants(("gray wolf",), (), words_of({}, taken={"grey wolf"})) == ("gray wolf",)
    assert spellings.leads("gray wolf", "grey wolf")
    assert not spellings.leads("grey wolf", "gray wolf")
    assert Spellings({"gray": "grey"}, "british").leads("grey wolf", "gray wolf")
    forms = ("color guard", "colour guard")
    assert Spellings({"color": "colour"}, "british").led("color guard", forms) == "colour guard"
    assert Spellings({"color": "colour"}, "british").led("color guard", forms[:1]) == "color guard"
    assert Spellings({"color": "colour"}).led("color guard", forms) == "color guard"


def words_of(use: dict[str, float], taken: Collection[str] = ()) -> Words:
    known = {word for form in use for word in form.split(" ")}
    return Words(lambda form: use.get(form, 0.0), use, {form: use[form] for form in use if " " in form}, known, taken)


def test_compounds_are_written_open_and_closed_where_both_are_in_use() -> None:
    use = {
        "fire truck": 1e-6,
        "firetruck": 1e-6,
        "book shop": 1e-6,
        "bookshop": 1e-6,
        "turnover": 1e-6,
        "turn over": 1e-6,
    }
    variants = Spellings({}).variants
    assert variants(("fire truck",), (), words_of(use)) == ("fire truck", "firetruck")
    assert variants(("bookshop",), {"shop"}, words_of(use)) == ("bookshop", "book shop")
    assert variants(("bookshops",), {"shop"}, words_of(use)) == ("bookshops", "book shops")
    assert variants(("bookshop",), {"boat"}, words_of(use)) == ("bookshop",)  # a carpet is no car pet
    assert variants(("turnover",), {"over"}, words_of(use)) == ("turnover",)
    assert variants(("fire truck",), (), words_of(use | {"firetruck": 1e-9})) == ("fire truck",)


def test_an_address_of_the_web_another_word_and_a_function_word_make_no_spelling() -> None:
    use = {
        "firing squad": 1e-6,
        "firingsquad": 1e-6,
        "stone wall": 1e-6,
        "stonewall": 1e-6,
        "manors": 1e-7,
        "man or": 1e-3,
    }
    use |= {"pullovers": 1e-7, "pull over": 1e-4, "pine": 1.0, "cone": 1.0}
    words = replace(words_of(use), written=use.keys() - {"firingsquad"}, left_out={"stonewall"})
    variants, every = Spellings({}).variants, Spellings({}, uncounted=True).variants
    assert variants(("firing squad",), (), words) == ("firing squad",)
    assert every(("firing squad",), (), words) == ("firing squad", "firing-squad")
    assert variants(("stone wall",), (), words) == ("stone wall",)
    assert variants(("manors",), {"or"}, words) == ("manors",)
    assert variants(("pullovers",), {"over"}, words) == ("pullovers",)
    assert variants(("pinecone",), {"cone"}, words) == ("pinecone",)
    assert every(("pinecone",), {"cone"}, words) == ("pinecone", "pine cone", "pine-cone")


def test_spellings_that_no_list_counts_are_written_where_asked_for() -> None:
    variants = Spellings({}, uncounted=True).variants
    assert variants(("black-tailed deer",), (), words_of({})) == ("black-tailed deer", "black tailed deer")
    assert variants(("men's room",), (), words_of({})) == ("men's room", "mens room")
    assert variants(("Siamese cat",), (), words_of({"cat": 1.0})) == ("Siamese cat", "siamese cat")
    assert variants(("Canis lupus", "TV set"), (), words_of({"set": 1.0})) == ("Canis lupus", "TV set")
    assert variants(("tea bag",), (), words_of({"tea bag": 1e-6})) == ("tea bag", "tea-bag")
    assert Spellings({}).variants(("Siamese cat",), (), words_of({"cat": 1.0})) == ("Siamese cat",)


def test_a_compound_without_a_count_is_estimated_from_its_words() -> None:
    frequencies = Frequencies({"barn": 1e-4, "owl": 1e-4, "ulna": 1e-7}, {})
    assert 0 < frequencies.estimate("barn ulna") < frequencies.estimate("barn owl") < 4.4e-6
    assert frequencies.estimate("barn owl ulna") == frequencies.estimate("owl ulna")
    assert frequencies.estimate("barn gnome") == frequencies.estimate("barn") == 0


SYNSETS = ["00000001 03 n 01 entity 0 000 | that which exists", "00000002 05 n 01 dog 0 001 @ 00000001 n 0000 | a pet"]
INDEX = ["entity n 1 0 1 0 00000001", "dog n 1 0 1 0 00000002"]


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("data.noun", lambda lines: [lines[0], lines[1][:30]], "this is no synset"),
        ("data.noun", lambda lines: [*lines, lines[1].replace("a pet", "a hound")], "second synset n00000002"),
        ("data.noun", lambda lines: [lines[0], lines[1].replace("@ 00000001", "@ 00000009")], "points at n00000009"),
        ("data.noun", lambda lines: [lines[0], lines[1].replace("pet", "p\x00et")], "control characters"),
        ("data.noun", lambda lines: [lines[0], lines[1].replace("pet", "<script>pet")], "markup"),
        ("index.noun", lambda lines: [lines[0], lines[1].replace("00000002", "00000008")], "'dog' points at n00000008"),
        ("index.noun", lambda lines: ["lexiko greek"], "this is no word"),
        ("cntlist.rev", lambda lines: ["dog%1:05:00:: 1 many"], "this is no sense"),
        ("cntlist.rev", lambda lines: ["dog%1:05:00:: 1 -5"], "no count: -5"),
        ("data.noun", lambda lines: [lines[0], lines[1].replace("@ 00000001", "@ 00000002")], "n00000002 is below"),
        ("data.noun", lambda lines: [lines[0], lines[1].partition(" |")[0]], "no gloss"),
        ("index.noun", lambda lines: lines[:1], "'dog' is a word of n00000002"),
        ("index.noun", lambda lines: [*lines, "cat n 1 0 1 0 00000002"], "'cat' is a word of n00000002"),
        ("noun.exc", lambda lines: ["geese"], "no irregular plural with its singulars, at 'geese'"),
    ],
)
def test_damaged_wordnet_files_are_refused_by_file_line_and_entry(
    tmp_path: Path, file: str, change: Any, message: str
) -> None:
    lines = {"data.noun": SYNSETS, "index.noun": INDEX, "cntlist.rev": ["dog%1:05:00:: 1 42"]}
    lines["noun.exc"] = ["geese goose"]
    for name, text in lines.items():
        (tmp_path / name).write_text("\n".join(change(text) if name == file else text) + "\n")
    with pytest.raises(DamagedFileError, match=message) as error:
        WordNet.load(tmp_path)
    assert file in str(error.value)
