"""Categories of a project's own: what a config may say, and what the log, the lists and the page make of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from decision_records import DIGESTS, people, record

from nounflow.annotation.consensus import contradicted, five_lists
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.scheme import USUAL, for_page
from nounflow.config.annotators import PAGE_KEYS, PeopleAnnotatorConfig, Scheme
from nounflow.config.experiment import load_config, read_config
from nounflow.errors import NounflowError
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import record_line
from nounflow.web.app import PAGES

OWN = {
    "hit": {"counts_as": "correct_primary", "title": "Hit", "key": "j", "colour": "#0b7a75"},
    "part": {"counts_as": "close_primary", "title": "A part of it", "key": "k", "colour": "#7a4d0b"},
    "miss": {"counts_as": "incorrect", "title": "Miss", "key": "l", "colour": "#7a0b3a"},
}


def scheme(**changes: dict[str, Any]) -> Scheme:
    own = {name: {**label, **changes.get(name, {})} for name, label in OWN.items()}
    own |= {name: label for name, label in changes.items() if name not in own}
    return PeopleAnnotatorConfig.model_validate({"kind": "people", "scheme": own}).scheme


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"part": {"key": "J"}}, "annotators.people.scheme: hit and part have the same key 'j'"),
        ({"part": {"title": "hit"}}, "annotators.people.scheme: hit and part have the same title 'hit'"),
        ({"part": {"key": "z"}}, "annotators.people.scheme.part.key: found 'z', must be one sign"),
        ({"part": {"key": "no"}}, "annotators.people.scheme.part.key: found 'no', must be one sign"),
        ({"part": {"key": "1"}}, "annotators.people.scheme.part.key: found '1', must be one sign"),
        ({"miss": {"counts_as": "bad"}}, "annotators.people.scheme.miss.counts_as: found 'bad', input should be"),
        ({"hit": {"colour": "greenish"}}, "annotators.people.scheme.hit.colour: found 'greenish', must be # and six"),
        ({"hit": {"color": "#000000"}}, "annotators.people.scheme.hit.color: unknown key (did you mean colour?)"),
        ({"unsure": OWN["hit"] | {"key": "u", "title": "U"}}, "unsure: this name means something else already"),
        ({"incorrect": OWN["hit"] | {"key": "u", "title": "U"}}, "incorrect: this name means something else already"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_scheme_is_one_line_that_names_the_key(
    repository: Path, changes: dict[str, Any], words: str
) -> None:
    values = read_config([repository / "config/config.yaml"]).model_dump(mode="json", exclude_unset=True)
    own = {name: {**label, **changes.get(name, {})} for name, label in OWN.items()}
    own |= {name: label for name, label in changes.items() if name not in own}
    values["annotators"] = {"people": {"kind": "people", "scheme": own}}
    with pytest.raises(NounflowError) as caught:
        load_config(values)
    lines = caught.value.what.splitlines()
    assert len(lines) == 2
    assert words in lines[1]


def test_the_keys_that_a_scheme_may_not_take_are_those_of_the_page() -> None:
    words = (PAGES / "words.js").read_text()
    keys = {key for group in re.findall(r"keys: \[(.*?)\]", words) for key in re.findall(r'"(.)"', group)}
    assert set(PAGE_KEYS) == keys | set("123456789")


def test_without_a_scheme_records_are_what_they_were_and_the_page_has_the_five() -> None:
    assert "label" not in record_line(record(1))
    assert "review" not in record_line(record(1))
    assert list(USUAL) == [one["answer"] for one in for_page({})] == list(CATEGORIES)
    assert [one["keys"] for one in for_page({})] == [["q", "1"], ["w", "2"], ["a", "3"], ["s", "4"], ["d", "5"]]


def test_a_label_counts_as_what_the_scheme_says_now() -> None:
    records = [
        record(1, "ear", "close_primary", label="part"),
        record(2, "dog", "correct_primary", label="hit"),
        record(3, "cat", "close_secondary", label="of another scheme"),
    ]
    files = {"a.png": DIGESTS[0]}
    lists, _, _ = five_lists(CurrentDecisions(records, scheme()), files, people())
    assert lists["a.png"].close_primary == ("ear",)
    lists, _, _ = five_lists(CurrentDecisions(records, scheme(part={"counts_as": "incorrect"})), files, people())
    assert (lists["a.png"].close_primary, lists["a.png"].incorrect) == ((), ("ear",))
    assert lists["a.png"].close_secondary == ("cat",)


def test_two_labels_that_count_as_the_same_are_no_contradiction() -> None:
    more = {"nonsense": {"counts_as": "incorrect", "title": "Nonsense", "key": "u", "colour": "#000000"}}
    records = [
        record(1, "ear", "incorrect", label="miss"),
        record(2, "ear", "incorrect", "bob", label="nonsense"),
        record(3, "dog", "incorrect", label="miss"),
        record(4, "dog", "close_primary", "bob", label="part"),
    ]
    found = contradicted(CurrentDecisions(records, scheme(**more)), people())
    assert [pair for pair, _, _ in found] == [(DIGESTS[0], "dog")]
