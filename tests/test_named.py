"""Sets of tags and names of boxes: who judges them, by what, and what their precision is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from decision_records import DIGESTS, people, record

from nounflow.annotation.consensus import five_lists
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.judgements import annotate
from nounflow.annotation.judging import nouns_to_judge
from nounflow.annotation.pictures import Digests
from nounflow.annotation.plan import places, plan_tasks
from nounflow.annotation.true_labels import true_labels
from nounflow.annotation.work import Work, contradictions
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.decisions import asked_at, parse_record, place_of, record_line
from nounflow.schemas.named import NamedSet, Question, read_said
from nounflow.scoring.named import named_row

BOX = (10, 20, 110, 220)
FILES = {"a.png": DIGESTS[0], "b.png": DIGESTS[1]}
TAGS = NamedSet(
    "tags",
    "tags-mine",
    "small",
    (
        Question("a.png", ("dog", "sofa", "moon"), several=True),
        Question("b.png", ("cup", "pear"), several=True),
    ),
)
BOXES = NamedSet(
    "regions",
    "regions-mine",
    "small",
    (Question("a.png", ("dog",), BOX), Question("a.png", ("sofa",), (0, 0, 50, 50))),
)


def test_a_place_is_a_picture_a_box_of_it_or_its_set_and_old_records_stay_as_they_were() -> None:
    old = record(1)
    assert record_line(old) == (
        f'{{"id":"{1:032x}","annotator":"ann","tool":"test","kind":"decision","image":"{DIGESTS[0]}","noun":"dog",'
        '"category":"incorrect","time":"1970-01-01T00:00:01.000000Z"}'
    )
    assert old.place == DIGESTS[0]
    for more in ({}, {"box": BOX}, {"several": True}):
        new = parse_record(record_line(record(2, **more)), "here")
        assert new == record(2, **more)
        assert asked_at(new.place) == {"image": DIGESTS[0], **more}
    with pytest.raises(Exception, match="box"):
        parse_record(record_line(old).replace('"noun"', '"box":[1,2,3],"noun"'), "here")


def test_what_is_said_of_a_box_says_nothing_of_the_picture_or_of_a_set() -> None:
    said = [
        record(1, category="correct_primary"),
        record(2, category="incorrect", box=BOX),
        record(3, category="incorrect", several=True),
    ]
    current = CurrentDecisions(said)
    assert [len(current.current((one.place, "dog"), "ann")) for one in said] == [1, 1, 1]
    lists = {
        name: five_lists(current, images, people())[0]
        for name, images in (("whole", FILES), ("boxes", places([BOXES], FILES)), ("tags", places([TAGS], FILES)))
    }
    assert lists["whole"]["a.png"].correct_primary == ("dog",)
    assert list(lists["boxes"]) == ["a.png#10-20-110-220"]
    assert lists["tags"]["a.png"].incorrect == ("dog",)


def test_tasks_are_planned_box_by_box_and_annotations_name_them_alike() -> None:
    tasks = plan_tasks([BOXES, BOXES], 1, FILES)
    assert [asked_at(task.image).get("box") for task in tasks] == [(0, 0, 50, 50), BOX]
    assert {name for task in tasks for name in task.names} == set(nouns_to_judge([BOXES], 1, "regions-mine"))
    images, rows, _ = annotate(tasks, {}, None, {})  # type: ignore[arg-type]
    assert set(images) == {"a.png#0-0-50-50", "a.png#10-20-110-220"}
    assert rows == []
    (sets,) = plan_tasks([TAGS], 1, {"a.png": DIGESTS[0]})
    assert (sets.image, [ask.noun for ask in sets.asks]) == (
        place_of(DIGESTS[0], several=True), ["dog", "sofa", "moon"],
    )  # fmt: skip


def test_contradictions_on_a_box_are_reviewed_with_its_frame() -> None:
    said = [record(1, box=BOX), record(2, category="correct_primary", annotator="bob", box=BOX), record(3, noun="cat")]
    work = Work("regions-mine", (BOXES,), Digests(Path(), FILES, {}), ())
    (task,) = contradictions(work, said, PeopleAnnotatorConfig(kind="people"))
    assert (task.image, task.files, [ask.noun for ask in task.asks]) == (said[0].place, ("a.png",), ["dog"])


def test_precision_is_a_mean_over_images_with_bounds_for_what_nobody_judged() -> None:
    images = {"a.png": {"correct_primary": ["dog"], "incorrect": ["moon"]}, "b.png": {"close_primary": ["cup"]}}
    judged = Annotations.model_validate({"annotator": "people", "rule": "", "image_set": "tags-mine", "images": images})
    row = named_row(TAGS, judged, 1)
    assert (row.images, row.nouns, row.coverage) == (2, 5, 0.6)
    assert (row.precision, row.close) == (0.25, 0.5)  # (1/2 + 0/1) / 2; (0/2 + 1/1) / 2
    assert row.precision_low is not None
    assert row.precision_low <= 0.25 <= (row.precision_high or 0)
    assert row.if_unjudged_wrong == pytest.approx((1 / 3 + 0) / 2)
    assert row.if_unjudged_right == pytest.approx((2 / 3 + 1 / 2) / 2)
    none = named_row(BOXES, judged, 1)
    assert (none.coverage, none.precision, none.if_unjudged_wrong, none.if_unjudged_right) == (0, None, 0, 1)


def test_a_box_is_judged_by_the_true_box_it_overlaps_and_tags_by_all_labels(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 320, "height": 240}],
        "categories": [{"id": 7, "name": "puppy"}],
        "annotations": [{"image_id": 1, "category_id": 7, "bbox": [0, 20, 110, 200]}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(coco))
    found = true_labels([BOXES], tmp_path / "boxes.json")
    assert {name: labels.gold for name, labels in found.items()} == {"a.png#10-20-110-220": "puppy"}
    (tmp_path / "labels.tsv").write_text("file\tpresent\na.png\tsofa;dog\nb.png\t\n")
    (name, labels), *others = true_labels([TAGS], tmp_path / "labels.tsv").items()
    assert (name, {labels.gold, *labels.secondary}, others) == ("a.png", {"dog", "sofa"}, [])


def test_files_of_tags_and_regions_become_sets_by_run(tmp_path: Path) -> None:
    image = {
        "set": "mine",
        "run": "small",
        "file": "a.png",
        "tags": [{"noun": "dog", "score": 1, "box": [9.6, -1, 5, 6]}],
    }
    (tmp_path / "regions.json").write_text(
        json.dumps({"rows": [], "per_name": {}, "unretrieved": {}, "named": [image, {**image, "run": "other"}]})
    )
    sets = read_said(tmp_path / "regions.json")
    assert [one.run for one in sets] == ["small", "other"]
    assert sets[0] == NamedSet("regions", "regions-mine", "small", (Question("a.png", ("dog",), (10, 0, 5, 6)),))
    assert read_said(tmp_path / "regions.json", "regions-none") == ()
