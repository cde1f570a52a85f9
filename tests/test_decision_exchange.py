"""Judgements of other programs go in, and five lists come out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from decision_records import DIGESTS, people
from synthetic_results import annotations_of

from nounflow.annotation.consensus import five_lists
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.exchange import DecisionOrigin, read_judgements, records_of, write_five_lists
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import time_text
from nounflow.schemas.documents import write_document

ORIGIN = DecisionOrigin("ann", "import", "drawn", time_text(0))


def test_five_lists_go_in_and_come_out_the_same(tmp_path: Path) -> None:
    lists = {
        "b.png": {"correct_primary": ["dog", "a <b>\u00e9"], "correct_secondary": ["sofa"], "incorrect": [""]},
        "a.png": {"close_primary": ["wolf"], "close_secondary": ["chair"]},
    }
    full = {image: {c: sorted(found.get(c, [])) for c in CATEGORIES} for image, found in sorted(lists.items())}
    (tmp_path / "in.json").write_text(json.dumps(lists))
    counts = Counts("x")
    imported = read_judgements(tmp_path / "in.json", counts)
    digests = {"a.png": DIGESTS[0], "b.png": DIGESTS[1]}
    records = records_of(imported.judged, digests, ORIGIN, counts)
    assert records == records_of(imported.judged, digests, ORIGIN, counts)  # the same ids: importing twice adds nothing
    out, _, _ = five_lists(CurrentDecisions(records), digests, people())
    write_five_lists(tmp_path / "out.json", out)
    text = (tmp_path / "out.json").read_text()
    assert json.loads(text) == full
    assert '    "correct_primary": ["a <b>é", "dog"],\n' in text  # a line a list


def test_a_noun_in_two_lists_is_a_contradiction_and_not_settled_silently(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"a.png": {"correct_primary": ["dog"], "close_primary": ["dog"]}}))
    counts = Counts("x")
    judged = read_judgements(tmp_path / "in.json", counts).judged
    lists, rows, _ = five_lists(
        CurrentDecisions(records_of(judged, {"a.png": DIGESTS[0]}, ORIGIN, counts)), {"a.png": DIGESTS[0]}, people()
    )
    assert lists == {}
    assert len(rows) == 2


def test_votes_become_categories_by_the_published_rule(tmp_path: Path) -> None:
    votes = {
        "three": [1, 1, 1],
        "none": [0, 0, 0],
        "four": [1, 1, 1, 1, 0],
        "one": [0, 0, 0, 1, 0],
        "split": [1, 1, 0, 0, 1],
    }
    state = {
        "_meta": {"opinions_min": 3, "confidence": 0.78, "model": "a model"},
        "annotations": {"a.png": {noun: list(map(bool, cast)) for noun, cast in {**votes, "two": [1, 1]}.items()}},
        "descriptions": {"a.png": {"a dog": 1, "a dog asleep": 2}},
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    counts = Counts("x")
    imported = read_judgements(tmp_path / "state.json", counts)
    found = {one.noun: one.category for one in imported.judged}
    right, wrong = "correct_primary", "incorrect"
    assert found == {"three": right, "none": wrong, "four": right, "one": wrong, "split": "close_primary"}
    records = records_of(imported.judged, {"a.png": DIGESTS[0]}, ORIGIN, counts)
    assert {one.noun: one.votes for one in records}["four"] == {right: 4, wrong: 1}
    assert records[0].evidence == "a dog asleep"
    assert imported.tool == "a model"
    assert counts.flows[0].dropped == {"fewer than 3 votes": 1}


def test_votes_in_words_count_as_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"_meta": {}, "annotations": {"a.png": {"dog": ["no", "no", "no"]}}}')
    assert [one.category for one in read_judgements(tmp_path / "state.json", Counts("x")).judged] == ["incorrect"]


def test_what_the_wordnet_annotator_says_fits_the_log_and_gives_its_annotations_again(tmp_path: Path) -> None:
    document = annotations_of({"a.png": {"correct_primary": ["dog"], "incorrect": ["cat", "cup"]}, "b.png": {}})
    write_document(tmp_path / "wordnet.json", document)
    (tmp_path / "wordnet.reasons.tsv").write_text(
        "image\tnoun\tcategory\treason\na.png\tcat\tincorrect\tnear no label\n"
    )
    counts = Counts("x")
    imported = read_judgements(tmp_path / "wordnet.json", counts)
    assert (imported.annotator, imported.tool, imported.image_set) == ("wordnet", "1", "photos")
    digests = {"a.png": DIGESTS[0], "b.png": DIGESTS[1]}
    records = records_of(imported.judged, digests, ORIGIN._replace(annotator="wordnet"), counts)
    assert {one.noun: one.evidence for one in records}["cat"] == "near no label"
    lists, _, _ = five_lists(CurrentDecisions(records), digests, people())
    assert lists == {image: lists_ for image, lists_ in document.images.items() if image == "a.png"}


@pytest.mark.parametrize(
    "text",
    [
        "[1]", "{", '{"a.png": {"right": []}}', '{"a.png": {}, "a.png": {}}', '{"a.png": []}',
        '{"_meta": {}, "annotations": 3}', '{"_meta": {}, "annotations": {"a": {"b": {"no": 3, "yes": 0}}}}',
        '{"_meta": {"opinions_min": Infinity}, "annotations": {}}', '{"_meta": {"confidence": NaN}, "annotations": {}}',
    ],
)  # fmt: skip
def test_a_file_of_no_known_form_is_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(NounflowError):
        read_judgements(tmp_path / "in.json", Counts("x"))
