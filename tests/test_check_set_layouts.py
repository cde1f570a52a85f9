"""Folders of labelled images in all the layouts that a check set may have."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from embedder_check_material import config, listed, picture

from nounflow.embedder_checks import imagenet
from nounflow.embedder_checks.expected import CLASSES
from nounflow.embedder_checks.labels import write_labels
from nounflow.embedder_checks.layouts import images_folder, list_check_set
from nounflow.errors import NounflowError
from nounflow.images import open_image
from nounflow.schemas.labels import read_labels


def cifar_folder(kind: str, folder: Path, labels: list[int], seed: int = 0) -> np.ndarray:
    """A binary version as its archive unpacks, and the images in it, uint8 [n, 32, 32, 3]."""
    images = np.random.default_rng(seed).integers(0, 255, (len(labels), 32, 32, 3), dtype=np.uint8)
    rows = []
    for label, image in zip(labels, images, strict=True):
        head = [label] if kind == "cifar10" else [19 - label % 20, label]  # the coarse class stands first
        rows.append(bytes(head) + image.transpose(2, 0, 1).tobytes())
    folder.mkdir(parents=True)
    classes = [f"class_{i}" for i in range(10 if kind == "cifar10" else 100)]
    test, names = ("test_batch.bin", "batches.meta.txt") if kind == "cifar10" else ("test.bin", "fine_label_names.txt")
    (folder / test).write_bytes(b"".join(rows))
    (folder / names).write_text("\n".join(classes) + "\n\n")
    return images


@pytest.mark.parametrize(("kind", "below"), [("cifar10", "cifar-10-batches-bin"), ("cifar100", "cifar-100-binary")])
def test_the_binary_version_of_cifar_becomes_images_with_the_same_pixels(tmp_path: Path, kind: str, below: str) -> None:
    labels = [3, 0, 9, 3]
    images = cifar_folder(kind, tmp_path / "data" / below, labels)
    settings_ = config(kind, tmp_path / "data")
    listing = list_check_set(settings_, tmp_path / "unpacked")
    folder = images_folder(settings_, tmp_path / "unpacked")
    assert len(listing.names) == CLASSES[kind]
    found = sorted(listing.files, key=lambda file: Path(file).stem)
    assert [listing.names[listing.files[file]] for file in found] == [f"class {label}" for label in labels]
    for file, image in zip(found, images, strict=True):
        assert np.array_equal(np.asarray(open_image(folder / file)), image)


def test_the_pickled_version_of_cifar_is_refused_and_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
            return (Path.touch, (tmp_path / "sprung",))

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(pickle.dumps(Trap()))
    for place in (tmp_path, folder):
        with pytest.raises(NounflowError, match="pickle") as caught:
            listed("cifar10", place, tmp_path)
        assert "cifar-10-batches-bin" in (caught.value.fix or "")
    assert not (tmp_path / "sprung").exists()


def cut_off(folder: Path) -> None:
    path = folder / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])


def hold_a_strange_class(folder: Path) -> None:
    path = folder / "test_batch.bin"
    path.write_bytes(bytes([10]) + path.read_bytes()[1:])


def lose_the_class_names(folder: Path) -> None:
    (folder / "batches.meta.txt").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_off, "no whole number of images"),
        (hold_a_strange_class, "class 10 of 10"),
        (lose_the_class_names, "class names"),
    ],
)
def test_a_damaged_cifar_folder_is_refused_and_nothing_is_unpacked(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    cifar_folder("cifar10", tmp_path / "a", [1, 2])
    damage(tmp_path / "a")
    with pytest.raises(NounflowError, match=message):
        listed("cifar10", tmp_path / "a", tmp_path)
    assert not (tmp_path / "unpacked").exists()


def test_cifar_as_folders_of_images_is_read_too(tmp_path: Path) -> None:
    picture(tmp_path / "test/maple_tree/1.png")
    picture(tmp_path / "train/maple_tree/2.png")
    listing = listed("cifar100", tmp_path, tmp_path)
    assert listing.files == {"maple_tree/1.png": "maple_tree"}
    assert listing.names == {"maple_tree": "maple tree"}


@pytest.fixture
def food(tmp_path: Path) -> None:
    for file in ("apple_pie/1.jpg", "apple_pie/2.jpg", "baby_back_ribs/3.jpg"):
        picture(tmp_path / "images" / file)
    (tmp_path / "meta").mkdir()


def test_food_takes_the_listed_test_images_and_counts_what_is_missing(food: None, tmp_path: Path) -> None:
    (tmp_path / "meta/test.txt").write_text("baby_back_ribs/3\napple_pie/2\nwaffles/9\n")
    listing = listed("food101", tmp_path, tmp_path)
    assert listing.files == {
        "apple_pie/2.jpg": "apple_pie", "baby_back_ribs/3.jpg": "baby_back_ribs", "waffles/9.jpg": "waffles",
    }  # fmt: skip
    assert list(listing.names.values()) == ["apple pie", "baby back ribs", "waffles"]
    assert sum(listing.dropped.values()) == sum(listing.added.values()) == 1


def test_food_without_its_list_of_test_images_is_refused(food: None, tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="test images") as caught:
        listed("food101", tmp_path, tmp_path)
    assert "meta" in str(caught.value)


def test_imagenet_folders_get_the_class_names_of_open_clip(tmp_path: Path) -> None:
    for wordnet_id in ("n01440764", "n03028079"):
        picture(tmp_path / f"val/{wordnet_id}/a.png")
        picture(tmp_path / f"train/{wordnet_id}/b.png")
    for kind in ("imagenet", "imagenette"):
        listing = listed(kind, tmp_path, tmp_path)
        assert listing.names == {"n01440764": "tench", "n03028079": "church"}
        assert list(listing.files) == ["n01440764/a.png", "n03028079/a.png"]


def test_there_are_a_thousand_imagenet_classes_in_the_order_of_their_ids() -> None:
    names = imagenet.class_names()
    assert len(names) == 1000
    assert list(names) == sorted(names)
    assert names["n02123045"] == "tabby cat"


FLAT = {
    "kaggle": "ImageId,PredictionString\nILSVRC_2,n03028079 85 1 499 272\nILSVRC_1,n01440764 1 2 3 4\n",
    "numbers": "ILSVRC_1.JPEG 0\nILSVRC_2.JPEG 497\n",
    "ids in order": "n01440764\nn03028079\n",
}


@pytest.mark.parametrize("text", FLAT.values(), ids=FLAT.keys())
def test_a_flat_imagenet_folder_is_labelled_by_any_usual_file(tmp_path: Path, text: str) -> None:
    for name in ("ILSVRC_1", "ILSVRC_2"):
        picture(tmp_path / f"val/{name}.JPEG")
    (tmp_path / "labels.txt").write_text(text)
    listing = listed("imagenet", tmp_path, tmp_path, labels=str(tmp_path / "labels.txt"))
    assert listing.files == {"ILSVRC_1.JPEG": "n01440764", "ILSVRC_2.JPEG": "n03028079"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("490\n361\n", "bare number is refused"),
        ("n01440764\n", "1 lines for 2 images"),
        ("ILSVRC_1 n01440764\n", "1 of 2 images have no line"),
        ("ILSVRC_1 n01440764\nILSVRC_2 1000\n", "'1000' is no class"),
        ("ILSVRC_1 n01440764\nILSVRC_2 n99999999\n", "'n99999999' is no class"),
    ],
)
def test_a_label_file_that_does_not_fit_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    for name in ("ILSVRC_1", "ILSVRC_2"):
        picture(tmp_path / f"{name}.JPEG")
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(NounflowError, match=message) as caught:
        listed("imagenet", tmp_path, tmp_path, labels=str(tmp_path / "labels.txt"))
    assert "labels.txt" in (caught.value.where or "")


@pytest.mark.parametrize(
    ("kind", "folder", "message", "fix"),
    [
        ("folder", "none", "does not exist", ""),
        ("folder", "flat", "No image of a class", ""),
        ("imagenet", "flat", "not in a folder for each class", "labels"),
        ("imagenette", "named", "'cat' is not named by a WordNet id", "kind: folder"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, kind: str, folder: str, message: str, fix: str) -> None:
    picture(tmp_path / "flat/a.png")
    picture(tmp_path / "named/cat/a.png")
    with pytest.raises(NounflowError, match=message) as caught:
        listed(kind, tmp_path / folder, tmp_path)
    assert fix in (caught.value.fix or "")


def test_classes_are_renamed_by_key(tmp_path: Path) -> None:
    for name in ("great_white", "tabby"):
        picture(tmp_path / name / "a.png")
    assert listed("folder", tmp_path, tmp_path).names == {"great_white": "great white", "tabby": "tabby"}
    assert listed("folder", tmp_path, tmp_path, classes={"tabby": "cat"}).names["tabby"] == "cat"


def test_an_unknown_key_of_a_class_is_answered_with_close_ones(tmp_path: Path) -> None:
    picture(tmp_path / "tabby/a.png")
    with pytest.raises(NounflowError, match="'taby'") as caught:
        listed("folder", tmp_path, tmp_path, classes={"taby": "cat"})
    assert "tabby" in (caught.value.fix or "")


def test_images_outside_any_class_folder_are_counted(tmp_path: Path) -> None:
    picture(tmp_path / "cat/deep/a.png")
    picture(tmp_path / "stray.png")
    listing = listed("folder", tmp_path, tmp_path)
    assert listing.files == {"cat/deep/a.png": "cat"}
    assert listing.found == 2
    assert sum(listing.dropped.values()) == 1


def test_the_written_labels_are_a_label_file(tmp_path: Path) -> None:
    write_labels(tmp_path / "x.tsv", {'a/it\'s a "cat".png': "cat", "b.png": "fire truck"})
    found = read_labels(tmp_path / "x.tsv")
    assert {file: label.gold for file, label in found.items()} == {'a/it\'s a "cat".png': "cat", "b.png": "fire truck"}


def test_a_file_name_that_a_label_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="cannot have"):
        write_labels(tmp_path / "x.tsv", {"a\tb.png": "cat"})


def test_imagewoof_and_imagenet_a_lie_as_imagenet_does(tmp_path: Path) -> None:
    for kind, place in (("imagewoof", "val/n02086240"), ("imagenet_a", "n01498041"), ("imagenet_r", "n01443537")):
        picture(tmp_path / kind / place / "x.png")
        assert list(listed(kind, tmp_path / kind, tmp_path).files.values()) == [place.rpartition("/")[2]]
