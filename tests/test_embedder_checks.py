"""Embedder checks: layouts of sets, zero-shot accuracy, expected values, the modality gap, and their rules."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw
from scipy.stats import binomtest

from nounflow.config.check_set import CheckSetConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.experiment import load_config
from nounflow.config.noise import NoiseConfig
from nounflow.embedder_checks import angles, imagenet
from nounflow.embedder_checks.accuracy import confusions, share, zero_shot
from nounflow.embedder_checks.angles import all_angles, angles_within, parallel_angles
from nounflow.embedder_checks.check import check_embedder, expected_of
from nounflow.embedder_checks.expected import CLASSES, Published, expectation, hub_spec, read_published
from nounflow.embedder_checks.gap import modality_gap, noise_angles, text_gap
from nounflow.embedder_checks.gap_picture import draw_gap, rows_of
from nounflow.embedder_checks.labels import captions_beside, write_labels
from nounflow.embedder_checks.layouts import images_folder, list_check_set
from nounflow.embedder_checks.page import check_page
from nounflow.embedder_checks.prompts import class_embeddings, fill_prompts
from nounflow.embedders.image_files import embed_image_files
from nounflow.embedders.load import load_embedder
from nounflow.errors import MismatchError, NounflowError
from nounflow.images import open_image
from nounflow.schemas.documents import EmbedderIdentity, read_document
from nounflow.schemas.embedder_checks import CheckSet, EmbedderCheck, ModalityGap
from nounflow.schemas.labels import read_labels

IDENTITY = EmbedderIdentity(
    spec="x:y", dim=4, digest="0", weights="0", tokenizer="0", preprocessing="", precision="fp32"
)


def picture(path, seed=0, size=(24, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def config(kind, folder, **more):
    return CheckSetConfig(kind=kind, folder=str(folder), **more)


def listed(kind, folder, tmp_path, **more):
    return list_check_set(config(kind, folder, **more), tmp_path / "unpacked")


def unit_rows(n, dim, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- layouts ---


def cifar_folder(kind, folder, labels, seed=0):
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
def test_the_binary_version_of_cifar_becomes_images_with_the_same_pixels(tmp_path, kind, below):
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


def test_the_pickled_version_of_cifar_is_refused_and_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(pickle.dumps(Trap()))
    for place in (tmp_path, folder):
        with pytest.raises(NounflowError, match="pickle") as caught:
            listed("cifar10", place, tmp_path)
        assert "cifar-10-batches-bin" in caught.value.fix
    assert not (tmp_path / "sprung").exists()


def test_a_cifar_file_that_was_cut_off_or_holds_a_strange_class_is_refused(tmp_path):
    cifar_folder("cifar10", tmp_path / "a", [1, 2])
    path = tmp_path / "a/test_batch.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(NounflowError, match="no whole number of images"):
        listed("cifar10", tmp_path / "a", tmp_path)
    path.write_bytes(bytes([10]) + whole[1:])
    with pytest.raises(NounflowError, match="class 10 of 10"):
        listed("cifar10", tmp_path / "a", tmp_path)
    path.write_bytes(whole)
    (tmp_path / "a/batches.meta.txt").unlink()
    with pytest.raises(NounflowError, match="class names"):
        listed("cifar10", tmp_path / "a", tmp_path)
    assert not (tmp_path / "unpacked").exists()


def test_cifar_as_folders_of_images_is_read_too(tmp_path):
    picture(tmp_path / "test/maple_tree/1.png")
    picture(tmp_path / "train/maple_tree/2.png")
    listing = listed("cifar100", tmp_path, tmp_path)
    assert listing.files == {"maple_tree/1.png": "maple_tree"}
    assert listing.names == {"maple_tree": "maple tree"}


def test_food_takes_the_listed_test_images_and_counts_what_is_missing(tmp_path):
    for file in ("apple_pie/1.jpg", "apple_pie/2.jpg", "baby_back_ribs/3.jpg"):
        picture(tmp_path / "images" / file)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/test.txt").write_text("baby_back_ribs/3\napple_pie/2\nwaffles/9\n")
    listing = listed("food101", tmp_path, tmp_path)
    assert listing.files == {
        "apple_pie/2.jpg": "apple_pie", "baby_back_ribs/3.jpg": "baby_back_ribs", "waffles/9.jpg": "waffles",
    }  # fmt: skip
    assert list(listing.names.values()) == ["apple pie", "baby back ribs", "waffles"]
    assert sum(listing.dropped.values()) == sum(listing.added.values()) == 1
    (tmp_path / "meta/test.txt").unlink()
    with pytest.raises(NounflowError, match="test images") as caught:
        listed("food101", tmp_path, tmp_path)
    assert "meta" in str(caught.value)


def test_imagenet_folders_get_the_class_names_of_open_clip(tmp_path):
    for wordnet_id in ("n01440764", "n03028079"):
        picture(tmp_path / f"val/{wordnet_id}/a.png")
        picture(tmp_path / f"train/{wordnet_id}/b.png")
    for kind in ("imagenet", "imagenette"):
        listing = listed(kind, tmp_path, tmp_path)
        assert listing.names == {"n01440764": "tench", "n03028079": "church"}
        assert list(listing.files) == ["n01440764/a.png", "n03028079/a.png"]


def test_there_are_a_thousand_imagenet_classes_in_the_order_of_their_ids():
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
def test_a_flat_imagenet_folder_is_labelled_by_any_usual_file(tmp_path, text):
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
def test_a_label_file_that_does_not_fit_is_refused_with_the_line(tmp_path, text, message):
    for name in ("ILSVRC_1", "ILSVRC_2"):
        picture(tmp_path / f"{name}.JPEG")
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(NounflowError, match=message) as caught:
        listed("imagenet", tmp_path, tmp_path, labels=str(tmp_path / "labels.txt"))
    assert "labels.txt" in caught.value.where


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    with pytest.raises(NounflowError, match="does not exist"):
        listed("folder", tmp_path / "none", tmp_path)
    picture(tmp_path / "flat/a.png")
    with pytest.raises(NounflowError, match="No image of a class"):
        listed("folder", tmp_path / "flat", tmp_path)
    with pytest.raises(NounflowError, match="not in a folder for each class") as caught:
        listed("imagenet", tmp_path / "flat", tmp_path)
    assert "labels" in caught.value.fix
    picture(tmp_path / "named/cat/a.png")
    with pytest.raises(NounflowError, match="'cat' is not named by a WordNet id") as caught:
        listed("imagenette", tmp_path / "named", tmp_path)
    assert "kind: folder" in caught.value.fix


def test_classes_are_renamed_by_key_and_an_unknown_key_is_answered_with_close_ones(tmp_path):
    for name in ("great_white", "tabby"):
        picture(tmp_path / name / "a.png")
    assert listed("folder", tmp_path, tmp_path).names == {"great_white": "great white", "tabby": "tabby"}
    assert listed("folder", tmp_path, tmp_path, classes={"tabby": "cat"}).names["tabby"] == "cat"
    with pytest.raises(NounflowError, match="'taby'") as caught:
        listed("folder", tmp_path, tmp_path, classes={"taby": "cat"})
    assert "tabby" in caught.value.fix


def test_images_outside_any_class_folder_are_counted(tmp_path):
    picture(tmp_path / "cat/deep/a.png")
    picture(tmp_path / "stray.png")
    listing = listed("folder", tmp_path, tmp_path)
    assert listing.files == {"cat/deep/a.png": "cat"}
    assert listing.found == 2
    assert sum(listing.dropped.values()) == 1


def test_the_written_labels_are_a_label_file(tmp_path):
    write_labels(tmp_path / "x.tsv", {'a/it\'s a "cat".png': "cat", "b.png": "fire truck"})
    found = read_labels(tmp_path / "x.tsv")
    assert {file: label.gold for file, label in found.items()} == {'a/it\'s a "cat".png': "cat", "b.png": "fire truck"}
    with pytest.raises(NounflowError, match="cannot have"):
        write_labels(tmp_path / "x.tsv", {"a\tb.png": "cat"})


# --- accuracy ---

vectors = arrays.arrays(np.float32, (7, 3), elements=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))


@given(vectors, arrays.arrays(np.float32, (5, 3), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0])), st.data())
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_a_sorted_list_with_ties_to_the_earlier_class(images, classes, data):
    gold = np.array(data.draw(st.lists(st.integers(0, 4), min_size=7, max_size=7)))
    found = zero_shot(images, gold, classes)
    for row in range(7):
        order = sorted(range(5), key=lambda c: (-float(images[row] @ classes[c]), c))
        assert found.ranks[row] == order.index(gold[row])
        assert found.nearest[row] == order[0]


def test_many_images_are_scored_in_blocks_like_one():
    images, classes = unit_rows(2500, 8), unit_rows(40, 8, seed=1)
    gold = np.arange(2500) % 40
    found = zero_shot(images, gold, classes)
    assert np.array_equal(found.nearest, (images @ classes.T).argmax(1))
    order = np.argsort(-(images @ classes.T), axis=1)
    assert np.array_equal(found.ranks, (order == gold[:, None]).argmax(1))


@given(st.integers(1, 3000), st.data())
@settings(max_examples=60, deadline=None)
def test_intervals_are_wilsons(n, data):
    correct = data.draw(st.integers(0, n))
    found = share(correct, n)
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def test_confusions_are_counted_and_equal_names_told_apart_by_their_keys():
    classes = {"n1": "missile", "n2": "missile", "n3": "cat"}
    gold, nearest = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 0, 2, 2, 2])
    found = confusions(gold, nearest, classes)
    assert [(c.gold, c.predicted, c.n) for c in found] == [
        ("missile (n1)", "missile (n2)", 2),
        ("missile (n2)", "cat", 1),
    ]
    assert found[0].share == pytest.approx(2 / 3)


# --- expected values ---


@pytest.fixture(scope="module")
def published(repository):
    return read_published(repository / "resources/embedder_checks/expected.tsv")


def test_the_table_holds_the_known_values_of_the_usual_models(published):
    lines = (Path(__file__).parent.parent / "resources/embedder_checks/expected.tsv").read_text().splitlines()
    assert len(published) == len(lines) - 1
    assert published["openclip:timm/ViT-B-16-SigLIP", "cifar10"].top1 == pytest.approx(0.9233)
    assert published["openclip:apple/DFN5B-CLIP-ViT-H-14-378", "imagenet"].top1 == pytest.approx(0.8434)
    for (spec, kind), value in published.items():
        assert re.match(r"^(openclip|transformers):[^/]+/[^/]+$", spec)
        assert kind in CLASSES
        assert 0.5 < value.top1 < 1


@pytest.mark.parametrize(
    ("spec", "hub"),
    [
        ("openclip:ViT-B-16-SigLIP/webli", "openclip:timm/ViT-B-16-SigLIP"),
        ("openclip:ViT-B-32/laion2b_s34b_b79k", "openclip:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("openclip:ViT-B-32/openai", "openclip:timm/vit_base_patch32_clip_224.openai"),
        ("openclip:timm/ViT-B-16-SigLIP", "openclip:timm/ViT-B-16-SigLIP"),
        ("openclip:hf-hub:timm/ViT-B-16-SigLIP", "openclip:timm/ViT-B-16-SigLIP"),
        ("openclip:local-dir:/models/x", "openclip:local-dir:/models/x"),
        ("bundled:minilm-conse", "bundled:minilm-conse"),
    ],
)
def test_two_names_of_one_model_find_the_same_value(published, spec, hub):
    assert hub_spec(spec) == hub
    assert ((hub, "imagenet") in published) == ("local" not in spec and "bundled" not in spec)


@pytest.mark.parametrize(
    ("correct", "n", "verdict"),
    [
        (7605, 10_000, "as expected"),
        (7530, 10_000, "as expected"),
        (7500, 10_000, "lower than expected"),
        (7700, 10_000, "higher than expected"),
        (750, 1000, "as expected"),
    ],
)
def test_the_verdict_follows_from_the_number_of_images(correct, n, verdict):
    found = expectation(share(correct, n), Published(0.7605, "imagenet80", "a paper"), "imagenet80")
    assert found.verdict == verdict
    assert found.tolerance == pytest.approx(1.96 * (0.7605 * 0.2395 / n) ** 0.5, rel=1e-3)
    assert found.difference == pytest.approx(correct / n - 0.7605)
    assert found.note == ""


def test_a_random_sample_of_a_model_that_is_right_is_hardly_ever_judged_wrong():
    rng = np.random.default_rng(0)
    verdicts = [
        expectation(share(int(correct), 500), Published(0.8, "", ""), "imagenet80").verdict
        for correct in rng.binomial(500, 0.8, size=2000)
    ]
    assert 0.93 < verdicts.count("as expected") / 2000 < 0.97


def check_with(kind, classes, spec="x:y"):
    per_class = tuple({"key": str(i), "name": str(i), "top1": share(1, 2).model_dump()} for i in range(classes))
    return EmbedderCheck(
        embedder=IDENTITY.model_copy(update={"spec": spec}), check_set="s", kind=kind, n=2 * classes, unreadable=0,
        prompts="imagenet7", prompts_per_class=7, top1=share(classes, 2 * classes), top5=share(classes, 2 * classes),
        per_class=per_class, confusions=(), expectation=None, no_expectation="",
    )  # fmt: skip


def test_an_embedder_without_a_published_value_says_so(published):
    spec = "openclip:timm/ViT-B-16-SigLIP"
    for check, reason in (
        (check_with("folder", 3), "no accuracies on a set of kind folder"),
        (check_with("imagenet", 12), "all 1,000 classes, and this set has 12"),
    ):
        found = expected_of(check, published, spec, None)
        assert found.expectation is None
        assert reason in found.no_expectation
        assert f"No expected value: {found.no_expectation}." in check_page(found)
    found = expected_of(check_with("cifar10", 10), published, "bundled:minilm-conse", None)
    assert "bundled:minilm-conse on cifar10" in found.no_expectation


def test_other_prompts_than_the_published_ones_are_named_beside_the_difference(published):
    found = expected_of(check_with("cifar10", 10), published, "openclip:ViT-B-16-SigLIP/webli", None)
    assert found.expectation.verdict == "lower than expected"
    assert "cifar18" in found.expectation.note
    page = check_page(found)
    assert "92.33 %" in page
    assert "**lower than expected**" in page
    assert "-42.33 points" in page


def test_a_value_of_the_config_comes_before_the_table(published):
    found = expected_of(check_with("folder", 3), published, "openclip:local-dir:/m", 50.0)
    assert found.expectation.verdict == "as expected"
    assert found.expectation.source == "the config"


# --- with real embedders ---


@pytest.fixture(scope="module")
def bundled():
    return load_embedder(EmbedderConfig(spec="bundled:minilm-conse", precision="fp32"), "cpu")


@pytest.fixture(scope="module")
def open_clip_model(tmp_path_factory):
    """A small open_clip model of random weights in a local folder, and its embedder."""
    import open_clip
    from safetensors.torch import save_file

    shape = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = open_clip.CLIP(**shape)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": shape, "preprocess_cfg": preprocess}))
    settings_ = EmbedderConfig(spec=f"openclip:local-dir:{folder}", precision="fp32")
    return model.eval(), load_embedder(settings_, "cpu"), folder


def test_a_class_embedding_is_the_normalised_mean_over_its_prompts(bundled):
    names = ["fire truck", "cat {}", "owl"]
    for prompts in ("imagenet7", ("a photo of a {}.", "{}")):
        found = class_embeddings(bundled, names, prompts)
        for name, vector in zip(names, found, strict=True):
            mean = bundled.encode_texts(fill_prompts(prompts, name), progress=False).mean(0)
            assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert len(fill_prompts("imagenet80", "cat")) == 80
    assert fill_prompts(("a {}.",), "cat {}") == ["a cat {}."]


def test_an_open_clip_model_is_checked_as_open_clip_itself_would(open_clip_model, tmp_path):
    import open_clip

    model, embedder, _folder = open_clip_model
    names = ["red_thing", "green thing", "blue"]
    for number in range(12):
        picture(tmp_path / "set" / names[number % 3] / f"{number}.png", seed=number)
    (tmp_path / "set/blue/broken.png").write_bytes(b"no image")
    listing = listed("folder", tmp_path / "set", tmp_path)
    check_set = CheckSet(name="s", kind="folder", folder="", classes=listing.names, files=listing.files)
    embedded = embed_image_files(embedder, tmp_path / "set", list(listing.files), batch=4, threads=1)
    check = check_embedder(embedder, check_set, embedded.files, embedded.vectors, "imagenet7")

    classes = []
    for name in listing.names.values():
        texts = [template(name) for template in open_clip.SIMPLE_IMAGENET_TEMPLATES]
        with torch.inference_mode():
            mean = model.encode_text(open_clip.tokenize(texts), normalize=True).mean(0)
        classes.append(mean / mean.norm())
    right = 0
    for file in embedded.files:
        image = torch.from_numpy(embedder.preprocess(open_image(tmp_path / "set" / file)))[None]
        with torch.inference_mode():
            logits = model.encode_image(image, normalize=True) @ torch.stack(classes).T
        right += list(listing.names)[int(logits.argmax())] == listing.files[file]
    assert check.top1.correct == right
    assert (check.n, check.unreadable) == (13, 1)
    assert check.top5.correct == 12
    assert sum(found.top1.n for found in check.per_class) == 13
    assert sum(found.top1.correct for found in check.per_class) == right
    assert sum(confusion.n for confusion in check.confusions) == 12 - right


def test_the_bundled_embedder_is_checked_on_a_tiny_folder(bundled, tmp_path):
    for number, (name, colour) in enumerate((("lemon", "yellow"), ("strawberry", "red"), ("lemon", "gold"))):
        image = Image.new("RGB", (80, 60), "white")
        ImageDraw.Draw(image).ellipse((10, 10, 70, 50), fill=colour)
        (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "set" / name / f"{number}.png")
    listing = listed("folder", tmp_path / "set", tmp_path)
    check_set = CheckSet(name="s", kind="folder", folder="", classes=listing.names, files=listing.files)
    embedded = embed_image_files(bundled, tmp_path / "set", list(listing.files), batch=4, threads=1)
    check = check_embedder(bundled, check_set, embedded.files, embedded.vectors, "imagenet7")
    classes = class_embeddings(bundled, ["lemon", "strawberry"], "imagenet7")
    nearest = (embedded.vectors @ classes.T).argmax(1)
    assert check.top1.correct == int((nearest == [0, 0, 1]).sum())
    assert check.top5.correct == check.n == 3
    assert check.embedder == bundled.identity


def test_embeddings_of_other_images_are_refused(bundled):
    check_set = CheckSet(name="s", kind="folder", folder="", classes={"a": "a"}, files={"a/1.png": "a"})
    with pytest.raises(MismatchError, match=r"b/2\.png is not listed"):
        check_embedder(bundled, check_set, ["b/2.png"], unit_rows(1, bundled.dim), "imagenet7")


# --- modality gap ---


def degrees(first, second):
    return np.rad2deg(np.arccos(np.clip(first.astype(float) @ second.astype(float).T, -1, 1)))


def test_angles_are_those_of_brute_force(monkeypatch):
    monkeypatch.setattr(angles, "_BLOCK", 50)  # several blocks
    first, second = unit_rows(40, 6), unit_rows(30, 6, seed=1)
    rng = np.random.default_rng(0)
    within = degrees(first, first)[np.triu_indices(40, k=1)]
    for found, expected in (
        (all_angles(first, second, rng), degrees(first, second).ravel()),
        (angles_within(first, rng), within),
        (parallel_angles(first[:30], second), np.diag(degrees(first[:30], second))),
    ):
        assert found.pairs == len(expected) == sum(found.histogram)
        assert found.mean == pytest.approx(expected.mean(), abs=1e-3)
        assert found.std == pytest.approx(expected.std(), abs=1e-3)
        assert np.array_equal(found.histogram, np.histogram(expected, bins=np.arange(361) / 2)[0])
        for quantile, level in ((found.low, 0.05), (found.median, 0.5), (found.high, 0.95)):
            assert (expected <= quantile + 0.01).mean() >= level - 1e-9
            assert (expected < quantile - 0.01).mean() <= level + 1e-9


def test_very_many_pairs_are_sampled_and_few_have_no_angle(monkeypatch):
    monkeypatch.setattr(angles, "PAIRS", 200)
    rows = unit_rows(400, 5)
    assert all_angles(rows, rows[:20], np.random.default_rng(0)).pairs == 200
    assert angles_within(rows, np.random.default_rng(0)).pairs <= 200
    assert angles_within(rows[:1], np.random.default_rng(0)) is None


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_the_mean_shift_splits_the_squared_distance_of_matched_pairs(seed, images, texts):
    x, t = unit_rows(images, 8, seed), unit_rows(texts, 8, seed + 1)
    own = np.random.default_rng(seed).integers(0, texts, images)
    gap = text_gap(x, t, own)
    difference = x.astype(float) - t[own]
    shift = difference.mean(0)
    rest = ((difference - shift) ** 2).sum(1).mean()
    assert np.allclose(gap.mean_shift, shift, atol=1e-6)
    assert gap.mean_shift_norm == pytest.approx(np.linalg.norm(shift), abs=1e-6)
    assert gap.explained == pytest.approx((shift**2).sum() / ((shift**2).sum() + rest), abs=1e-5)


def test_where_all_images_are_shifted_alike_the_shift_explains_all():
    t = unit_rows(50, 64)
    shift = np.zeros(64)
    shift[0] = 0.8
    raw = np.concatenate([t, -t])  # so that lengths do not matter on average
    images = raw + shift
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    gap = text_gap(images.astype(np.float32), raw.astype(np.float32), np.arange(100))
    assert gap.matched.mean > 35
    assert gap.matched_after_shift.mean < 12
    assert gap.explained > 0.8


def test_noise_angles_are_those_of_the_scheme():
    found = noise_angles(unit_rows(30, 768), NoiseConfig(scheme="gauss_elem", norm=3.25))
    assert found.mean == pytest.approx(72.9, abs=0.1)  # arctan of the norm
    assert found.std == pytest.approx(1.93, abs=0.1)


def test_a_gap_has_captions_and_noise_only_where_they_are_given(bundled, tmp_path):
    images = unit_rows(4, bundled.dim)
    gap = modality_gap(bundled, "s", images, ["cat", "dog", "cat", "owl"], {}, "imagenet7", None)
    assert gap.captions is None
    assert gap.noise is None
    assert (gap.nouns.texts, gap.nouns.images, gap.nouns.all_pairs.pairs) == (3, 4, 12)
    full = modality_gap(bundled, "s", images, ["cat"] * 4, {0: "A cat.", 3: "A dog."}, "imagenet7", NoiseConfig())
    assert (full.captions.images, full.captions.texts, full.captions.matched.pairs) == (2, 2, 2)
    own = bundled.encode_texts(["A cat.", "A dog."], progress=False)
    expected = np.diag(degrees(images[[0, 3]], own))
    assert full.captions.matched.mean == pytest.approx(expected.mean(), abs=1e-3)
    assert full.nouns.text_text is None
    assert full.noise_scheme == "gauss_elem, norm 0.6"


def test_captions_are_the_first_lines_of_text_files_beside_images(tmp_path):
    (tmp_path / "a.txt").write_text("A frog. \nde.utf8=Ein Frosch.\n")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "empty.txt").write_text("\n")
    found = captions_beside(tmp_path, ["a.png", "b.jpg", "empty.png", "none.png"])
    assert found["a.png"] == "A frog."
    assert set(found) == {"a.png", "b.jpg"}


def test_the_picture_is_one_file_that_needs_no_other_and_repeats_to_the_byte(bundled, tmp_path):
    gap = modality_gap(
        bundled, "photos", unit_rows(6, bundled.dim), ["cat", "dog"] * 3, {1: "A dog."}, "imagenet7", NoiseConfig()
    )
    draw_gap(tmp_path / "a.svg", gap)
    draw_gap(tmp_path / "b.svg", gap)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    ElementTree.fromstring(text)
    assert not re.findall(r'(?:href|src)="(?!#)', text)
    assert "<text" not in text  # letters are drawn, so that no font is needed
    draw_gap(tmp_path / "a.png", gap)
    assert Image.open(tmp_path / "a.png").size[0] > 900
    assert [label for label, _, _ in rows_of(gap)] == [
        "image and its own noun", "image and any noun", "two nouns", "image and its own caption",
        "image and any caption", "two images", "a noun and itself with training\nnoise (gauss_elem, norm 0.6)",
    ]  # fmt: skip


# --- config ---


def loaded(repository, change):
    values = yaml.safe_load((repository / "config/config.yaml").read_text())
    change(values)
    return load_config(values)


@pytest.mark.parametrize(
    ("check_set", "message"),
    [
        ({"kind": "cifar", "folder": "x"}, "check_sets.s.kind: found 'cifar'"),
        ({"kind": "folder"}, "check_sets.s.folder: missing"),
        ({"kind": "folder", "folder": "x", "label": "y"}, "did you mean labels?"),
        ({"kind": "folder", "folder": "x", "labels": "y"}, "`labels` is for kind imagenet"),
        ({"kind": "folder", "folder": "x", "prompts": ["a photo"]}, "needs exactly one {}"),
        ({"kind": "folder", "folder": "x", "prompts": []}, "at least one prompt"),
        ({"kind": "folder", "folder": "x", "expected": {"siglip": 76.0}}, "found 'siglip', allowed: bundled"),
        ({"kind": "folder", "folder": "x", "expected": {"bundled": 176.0}}, "less than or equal to 100"),
    ],
)
def test_a_mistake_in_a_check_set_is_one_line_with_its_key(repository, check_set, message):
    with pytest.raises(NounflowError) as caught:
        loaded(repository, lambda values: values["check_sets"].update(s=check_set))
    assert message in str(caught.value)


def test_a_check_set_cannot_have_the_name_of_an_image_set(repository):
    with pytest.raises(NounflowError, match=r"check_sets.photos: an image set has this name too"):
        loaded(repository, lambda values: values["check_sets"].update(photos={"kind": "folder", "folder": "x"}))


# --- rules ---

CHECK = "results/embedder_checks/clip/mine.json"
GAP = "results/modality_gap/clip/drawn.json"


class Workplace:
    """A working folder of its own for the real workflow."""

    def __init__(self, folder, repository):
        self.folder, self.repository = folder, repository

    def snakemake(self, *options, check=True):
        command = [sys.executable, "-m", "snakemake", "-s", str(self.repository / "Snakefile"), *options]
        done = subprocess.run(
            [*command, "--cores", "2", "--configfile", "mine.yaml"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.repository), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        done.output = done.stdout + done.stderr
        if check:
            assert done.returncode == 0, done.output[-5000:]
        return done

    def would_run(self, *targets):
        output = self.snakemake("--dry-run", *targets).output
        if "Nothing to be done" in output:
            return set()
        names = re.findall(r"^(\w+)\s+\d+$", output.split("Job stats:")[1].split("\n\n")[0], flags=re.MULTILINE)
        return set(names) - {"total"}


@pytest.fixture(scope="module")
def workplace(repository, tmp_path_factory, open_clip_model):
    """A check set with a broken image, captioned pictures, an open_clip model; both targets are made once."""
    folder = tmp_path_factory.mktemp("checks")
    for number, colour in enumerate(("red", "green", "blue", "orange")):
        image = Image.new("RGB", (60, 60), "white")
        ImageDraw.Draw(image).ellipse((10, 10, 50, 50), fill=colour)
        for place in (f"animals/{'tabby_cat' if number % 2 else 'fire truck'}/{number}.png", f"drawn/{number}.png"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / place)
        (folder / f"drawn/{number}.txt").write_text(f"A {colour} ball.\n")
    (folder / "animals/tabby_cat/broken.png").write_bytes(b"no image")
    (folder / "drawn.tsv").write_text("file\tgold\n0.png\tapple\n1.png\tlime\n2.png\tball\n")
    (folder / "mine.yaml").write_text(
        yaml.safe_dump(
            {
                "threads": 1,
                "device": "cpu",  # then jobs run side by side
                "embedders": {"clip": {"spec": f"openclip:local-dir:{open_clip_model[2]}", "precision": "fp32"}},
                "check_sets": {
                    "mine": {"kind": "folder", "folder": "animals", "prompts": "imagenet7"},
                    "gone": {"kind": "folder", "folder": "no/such/folder"},
                },
                "runs": {
                    "clip": {"lexicon": "small", "embedder": "clip", "mixture": "prompts", "noise": {"norm": 0.4}},
                },
                "image_sets": {
                    "photos": None,
                    "drawn": {"folder": "drawn", "labels": "drawn.tsv", "captions": "txt"},
                    "bare": {"folder": "drawn"},
                },
            }
        )
    )
    workplace = Workplace(folder, repository)
    workplace.first_output = workplace.snakemake(CHECK, GAP).output
    return workplace


def test_a_check_through_the_workflow_gives_what_the_embedder_gives(workplace, open_clip_model):
    check = read_document(EmbedderCheck, workplace.folder / CHECK, "check")
    model = open_clip_model[1]
    classes = class_embeddings(model, ["fire truck", "tabby cat"], "imagenet7")
    right = 0
    for number in range(4):
        image = open_image(workplace.folder / f"drawn/{number}.png")
        right += int((model.encode_images([model.preprocess(image)]) @ classes.T).argmax()) == number % 2
    assert (check.n, check.unreadable, check.top1.correct) == (5, 1, right)
    assert [found.name for found in check.per_class] == ["fire truck", "tabby cat"]
    page = (workplace.folder / CHECK).with_suffix(".md").read_text()
    assert "No expected value" in page
    assert "1 images could not be read and count as wrong" in page


def test_the_gap_through_the_workflow_knows_nouns_captions_and_the_noise_of_a_run(workplace):
    gap = read_document(ModalityGap, workplace.folder / GAP, "gap")
    assert (gap.images, gap.nouns.texts, gap.captions.texts) == (3, 3, 3)
    assert gap.noise_scheme == "gauss_elem, norm 0.4"
    assert (workplace.folder / GAP).with_suffix(".svg").read_text().startswith("<?xml")


def test_the_counts_of_checks_tally(workplace):
    records = [json.loads(path.read_text()) for path in (workplace.folder / "results").rglob("*.counts.json")]
    assert len(records) == 5
    for record in records:
        for flow in record["flows"]:
            assert flow["out"] == flow["in"] - sum(flow["dropped"].values()) + sum(flow["added"].values())


def test_checks_are_no_part_of_the_main_job_and_nothing_is_done_twice(workplace):
    rules = {"list_check_set", "embedder_check", "modality_gap"}
    assert not workplace.would_run("results/scores.tsv") & rules
    assert workplace.would_run(CHECK, GAP) == set()


def test_a_new_image_is_listed_and_embedded(workplace):
    picture(workplace.folder / "animals/tabby_cat/new.png")
    try:
        assert workplace.would_run(CHECK) == {"list_check_set", "embed_images", "embedder_check"}
    finally:
        (workplace.folder / "animals/tabby_cat/new.png").unlink()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/embedder_checks/clip/gone.json", "The folder of a check set does not exist"),
        ("results/modality_gap/clip/bare.json", "The image set bare has no labels"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_message(workplace, target, message):
    done = workplace.snakemake(target, check=False)
    assert done.returncode != 0
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (workplace.folder / target).exists()


def test_the_rules_pass_snakemakes_lint(repository):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
