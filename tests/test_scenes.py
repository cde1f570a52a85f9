"""Scenes: composed from cut-outs of one split each, with exact boxes, the same by the same seed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nounflow.errors import NounflowError
from nounflow.inputs import scenes
from nounflow.inputs.scene_files import SceneTruth, write_scenes
from nounflow.inputs.scenes import SIZE, CutOut, background_images, compose, split_cut_outs
from nounflow.schemas.boxes import read_coco
from nounflow.schemas.labels import Labels, LabelTable
from nounflow.wordnet import WordNet


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LabelTable]:
    """Thirty cut-outs of one plain colour each, two of a noun for the first ten nouns, and a picture without alpha."""
    folder, labels = tmp_path_factory.mktemp("cut-outs"), LabelTable()
    for i in range(30):
        image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
        image.paste((40 + 7 * i, 255 - 8 * i, 9, 255), (5, 15, 45, 55))
        image.save(folder / f"{i:02}.png")
        labels[f"{i:02}.png"] = Labels(gold=f"noun {i % 20}")
    Image.new("RGB", (60, 60)).save(folder / "opaque.png")
    labels["opaque.png"] = Labels(gold="opaque")
    return folder, labels


def test_scenes_are_the_same_by_the_same_seed_and_their_boxes_fit(
    photos: tuple[Path, LabelTable], tmp_path: Path
) -> None:
    first = write_scenes(tmp_path / "a", *photos, None, 40, 1)
    assert write_scenes(tmp_path / "b", *photos, None, 40, 1).files == first.files
    assert write_scenes(tmp_path / "c", *photos, None, 40, 2).files != first.files

    files = tmp_path / "a/files"
    coco = read_coco(files / "instances.json")
    assert len(coco.files) == 40
    assert not coco.problems
    assert {split: list(coco.splits.values()).count(split) for split in ("train", "val", "test")} == {
        "train": 16, "val": 4, "test": 20,
    }  # fmt: skip
    with open(files / "labels.tsv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    shown = {split: set() for split in ("train", "val", "test")}  # type: dict[str, set[str]]
    for row in rows:
        shown[row["split"]].update(row["cut_outs"].split(";"))
        assert row["present"].split(";") == sorted({box.label for box in coco.boxes if box.file == row["file"]})
    assert not shown["train"] & shown["test"]
    assert not shown["train"] & shown["val"]
    assert not shown["val"] & shown["test"]
    assert "opaque.png" not in set().union(*shown.values())


def test_a_box_holds_exactly_what_was_pasted(photos: tuple[Path, LabelTable]) -> None:
    folder, labels = photos
    cut_outs = [CutOut(file, labels[file].gold) for file in list(labels)[:5]]
    pictures = {each.file: scenes.opaque_part(Image.open(folder / each.file)) for each in cut_outs}
    white = [Image.new("RGB", image.size, (0, 0, 255)) for image in background_images()]
    for number in range(5):
        scene = compose(number, "test", cut_outs, pictures, white, 1)
        changed = np.abs(np.asarray(scene.image).astype(int) - (0, 0, 255)).sum(axis=2) > 200
        covered = np.zeros(changed.shape, dtype=bool)
        for box in scene.boxes:
            x0, y0, x1, y1 = map(int, box.box)
            assert 0 <= x0 < x1 <= SIZE[0]
            assert 0 <= y0 < y1 <= SIZE[1]
            assert changed[y0 : y1 - 1, x0 : x1 - 1].mean() > 0.95
            covered[y0:y1, x0:x1] = True
        assert not (changed & ~covered).any()


def test_a_noun_with_several_cut_outs_stands_in_train_and_test() -> None:
    split = split_cut_outs([CutOut(f"{noun}{i}", noun) for noun in "abcdef" for i in range(2)], 1)
    assert {each.noun for each in split["train"]} == {each.noun for each in split["test"]} == set("abcdef")


def test_a_crow_is_a_bird_and_a_bird_may_be_a_crow(wordnet: WordNet) -> None:
    photos = LabelTable()
    photos["a.png"] = Labels(gold="crow", sense="crow%1:05:00::")
    photos["b.png"] = Labels(gold="bird", sense="bird%1:05:00::", secondary=("twig",))
    photos["c.png"] = Labels(gold="twig", sense="twig%1:20:00::")
    truth = SceneTruth(photos, wordnet)
    assert truth.present(CutOut("a.png", "crow")) == {"crow", "bird"}
    assert truth.unknown(CutOut("b.png", "bird")) - {"bird"} == {"crow", "twig"}


def test_a_missing_background_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = scenes.Background("sklearn", "datasets/images/gone.jpg", (0, 0, 9, 9), ())
    monkeypatch.setattr(scenes, "BACKGROUNDS", (gone,))
    with pytest.raises(NounflowError, match=r"gone\.jpg of sklearn"):
        background_images()


def test_what_is_wrong_in_a_coco_file_is_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    value = {
        "images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 50}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [90, 10, 20, 20]},
            {"image_id": 7, "category_id": 1, "bbox": [300, 10, 20, 20]},
            {"image_id": 8, "category_id": 1, "bbox": [0, 0, 2, 2]},
        ],
    }
    path.write_text(json.dumps(value))
    found = read_coco(path)
    assert [box.box for box in found.boxes] == [(90, 10, 100, 30)]
    assert [problem.split(":")[0] for problem in found.problems] == [
        "annotation 0", "annotation 1", "annotation 2", "labels that no box has",
    ]  # fmt: skip
    path.write_text(json.dumps({"images": []}))
    with pytest.raises(NounflowError, match="no COCO file of boxes"):
        read_coco(path)
