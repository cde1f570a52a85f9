"""Published captions as a source, and JSON lists of any size."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from check_material import IDS

from nounflow.captions import json_list
from nounflow.captions.checks import CaptionChecks
from nounflow.captions.published import PublishedNoun, import_captions, noun_of, read_published
from nounflow.captions.spool import Spool
from nounflow.captions.writing import write_draft
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.schemas.tables import CAPTIONS, read_table
from nounflow.senses import LexiconForms

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


def published(entries: Iterable[object] = PUBLISHED) -> list[PublishedNoun]:
    return [PublishedNoun.model_validate(entry) for entry in entries]


def imported(nouns: pl.DataFrame, entries: Iterable[PublishedNoun]) -> tuple[pl.DataFrame, Counts, Any]:
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        path = Path(folder) / "captions.parquet"
        draft, unmatched = import_captions(nouns, entries, spool)
        counts = write_draft(path, draft)
        return read_table(path, CAPTIONS, "captions"), counts, unmatched


def test_published_captions_become_texts_of_each_form_with_the_nouns_weight(check_nouns: pl.DataFrame) -> None:
    table, _, unmatched = imported(check_nouns, published())
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


def test_what_of_the_published_captions_is_not_used_is_counted(check_nouns: pl.DataFrame) -> None:
    entries, captions, lexicon = imported(check_nouns, published())[1].as_dict()["flows"]
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
def test_a_file_of_which_nothing_can_be_used_is_refused_with_the_reasons(
    check_nouns: pl.DataFrame, entries: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NounflowError, match="published captions can be used") as error:
        imported(check_nouns, published(entries))
    assert reason in str(error.value)


def test_an_entry_is_matched_by_its_name_before_its_forms(check_nouns: pl.DataFrame) -> None:
    entries = published(
        [
            {"target_noun": "axis", "plurals": ["axes"], "singulars": ["axe", "ax"]},
            {"target_noun": "hatchet", "plurals": ["axes"], "singulars": ["axe"]},
            {"target_noun": "x ray", "pretty_noun": "x-ray"},
            {"target_noun": "st bernard"},
        ]
    )
    names, forms = dict(check_nouns.select("canon", "id").iter_rows()), LexiconForms(check_nouns)
    matched = [noun_of(entry, names, forms) for entry in entries]
    assert [list(IDS)[noun] for noun in matched if noun is not None] == ["axis", "ax", "X-ray", "St. Bernard"]


def test_imported_captions_pass_the_number_check(check_nouns: pl.DataFrame, checks: CaptionChecks) -> None:
    table, _, _ = imported(check_nouns, published())
    faults = Counter(result.fault for result in checks.check_table(table))
    assert not any("not in the" in str(fault) or "missing" in str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "A JSON list is expected"), ('[{"target_noun": 3}]', "target_noun"), ("[", "not readable JSON"),
     ('[{"singulars": []}]', "entry 0"), ('["dog"]', "an object is expected"),
     ('[{"target_noun": "dog", "plurals": "dogs"}]', "plurals: Input should be a valid list")],
)  # fmt: skip
def test_another_layout_of_published_captions_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "captions.json").write_text(content)
    with pytest.raises(NounflowError) as error:
        list(read_published(tmp_path / "captions.json"))
    assert message in str(error.value)


def test_a_json_list_is_read_with_all_kinds_of_values(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    for values in ([], [1], [12, -3.5e2, 'a]b,\\"', None, True, {"x": [1, {"y": "é"}]}, []]):
        for text in (json.dumps(values), json.dumps(values, indent=1, ensure_ascii=False) + " \n"):
            path.write_text(text, encoding="utf-8")
            assert list(json_list.read_json_list(path, "list")) == values


@pytest.mark.parametrize(
    "text", ["", " ", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] x", '["a', "{", "nothing", '{"a": 1}']
)
def test_what_is_no_json_list_is_one_message(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(NounflowError, match="list of things") as error:
        list(json_list.read_json_list(path, "list of things"))
    assert str(path) in str(error.value)
