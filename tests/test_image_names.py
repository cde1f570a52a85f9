"""One image is one image, however a file from outside writes its name."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from score_material import score
from synthetic_results import annotations_of, predictions

from nounflow.annotation.exchange import read_judgements
from nounflow.annotation.judging import Judgement, judge_predictions, nouns_to_judge
from nounflow.counts import Counts
from nounflow.files import write_json
from nounflow.image_names import ByName, plain_name
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.documents import read_document, write_document
from nounflow.schemas.labels import Labels
from nounflow.schemas.predictions import Predictions

TWICE = {"./a.png": ["dog", "cat"], "a.png": ["dog", "cat"], "sub//b.png": ["cat", "dog"], "x/../c.png": ["cat", "dog"]}
ONCE = {"a.png": ["dog", "cat"], "sub/b.png": ["cat", "dog"], "c.png": ["cat", "dog"]}
JUDGED = {"a.png": {"correct_primary": ["dog"]}, "./sub/b.png": {"incorrect": ["cat"]}, "c.png": {"incorrect": ["cat"]}}


@pytest.mark.parametrize("name", ["a.png", "sub dir/it's c.png", "..a.png", "a b/..c", "", "café.png"])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert plain_name(name) == name


def test_an_image_that_stands_twice_in_a_predictions_file_is_counted_once_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "twice.json", predictions("a", ONCE).model_dump(mode="json") | _written(TWICE))
    found = read_document(Predictions, tmp_path / "twice.json", "predictions")
    assert "images that stand twice, as a.png and ./a.png do: 1" in capsys.readouterr().err
    assert found == predictions("a", ONCE)
    (row,) = score([found], [annotations_of(JUDGED)]).rows
    (expected,) = score([predictions("a", ONCE)], [annotations_of(JUDGED)]).rows
    assert row == expected
    assert (row.n, row.coverage, row.prediction_score) == (3, 1.0, pytest.approx(1 / 3))


def _written(answers: dict[str, list[str]]) -> dict[str, Any]:
    part = predictions("a", {f"{i}.png": nouns for i, nouns in enumerate(answers.values())}).predictions["beam_k5"]
    return {"samples": list(answers), "predictions": {"beam_k5": part.model_dump(mode="json")}}


def test_lists_of_judgements_of_one_image_are_joined() -> None:
    found = annotations_of({"./a.png": {"incorrect": ["cat"]}, "a.png": {"incorrect": ["cat", "cow"]}, "b.png": {}})
    assert {file: lists.incorrect for file, lists in found.images.items()} == {"a.png": ("cat", "cow"), "b.png": ()}


def test_labels_and_judgements_find_their_image_in_any_spelling(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD"))
    labels = ByName[Labels]()
    labels[composed] = Labels(gold="dog")

    class Judge:
        name, rule = "judge", "1"

        def judge(self, labels: Labels, noun: str) -> Judgement:
            return Judgement("correct_primary" if noun == labels.gold else "incorrect", "said so")

    said = predictions("a", {apart: ["dog"]})
    document, _, counts = judge_predictions(Judge(), "photos", nouns_to_judge([said], 1, "photos"), labels)
    assert document.images[apart].correct_primary == ("dog",)
    assert "no run predicted on this image" not in str(counts)
    (row,) = score([said], [annotations_of({composed: {"correct_primary": ["dog"]}})]).rows
    assert row.prediction_score == 1.0


@pytest.mark.parametrize("form", ["lists", "ours", "votes"])
def test_imported_judgements_are_of_plain_names(tmp_path: Path, form: str) -> None:
    lists = {"./a.png": {"correct_primary": ["dog"]}}
    if form == "lists":
        write_json(tmp_path / "x.json", lists)
    elif form == "ours":
        write_document(tmp_path / "x.json", Annotations(annotator="w", rule="1", image_set="photos", images=lists))
    else:
        write_json(tmp_path / "x.json", {"_meta": {}, "annotations": {"./a.png": {"dog": [1, 1, 1, 1, 1]}}})
    assert [one.file for one in read_judgements(tmp_path / "x.json", Counts("x")).judged] == ["a.png"]
