"""Zero-shot accuracy of an embedder: ranks, intervals, confusions, and what open_clip itself would say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from embedder_check_material import listed, picture, unit_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw
from scipy.stats import binomtest

from nounflow.embedder_checks.accuracy import confusions, share, zero_shot
from nounflow.embedder_checks.check import check_embedder
from nounflow.embedder_checks.layouts import Listing
from nounflow.embedders.image_files import embed_image_files
from nounflow.embedders.prompts import class_embeddings, fill_prompts
from nounflow.embedders.protocol import Embedder
from nounflow.errors import MismatchError
from nounflow.images import open_image
from nounflow.schemas.embedder_checks import CheckSet, EmbedderCheck

vectors = arrays.arrays(np.float32, (7, 3), elements=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))


@given(vectors, arrays.arrays(np.float32, (5, 3), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0])), st.data())
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_a_sorted_list_with_ties_to_the_earlier_class(
    images: np.ndarray, classes: np.ndarray, data: st.DataObject
) -> None:
    gold = np.array(data.draw(st.lists(st.integers(0, 4), min_size=7, max_size=7)))
    found = zero_shot(images, gold, classes)
    for row in range(7):
        order = sorted(range(5), key=lambda c: (-float(images[row] @ classes[c]), c))
        assert found.ranks[row] == order.index(gold[row])
        assert found.nearest[row] == order[0]


def test_many_images_are_scored_in_blocks_like_one() -> None:
    images, classes = unit_rows(2500, 8), unit_rows(40, 8, seed=1)
    gold = np.arange(2500) % 40
    found = zero_shot(images, gold, classes)
    assert np.array_equal(found.nearest, (images @ classes.T).argmax(1))
    order = np.argsort(-(images @ classes.T), axis=1)
    assert np.array_equal(found.ranks, (order == gold[:, None]).argmax(1))


@given(st.integers(1, 3000), st.data())
@settings(max_examples=60, deadline=None)
def test_intervals_are_wilsons(n: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    found = share(correct, n)
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def test_confusions_are_counted_and_equal_names_told_apart_by_their_keys() -> None:
    classes = {"n1": "missile", "n2": "missile", "n3": "cat"}
    gold, nearest = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 0, 2, 2, 2])
    found = confusions(gold, nearest, classes)
    assert [(c.gold, c.predicted, c.n) for c in found] == [
        ("missile (n1)", "missile (n2)", 2),
        ("missile (n2)", "cat", 1),
    ]
    assert found[0].share == pytest.approx(2 / 3)


def test_a_class_embedding_is_the_normalised_mean_over_its_prompts(bundled: Embedder) -> None:
    names = ["fire truck", "cat {}", "owl"]
    for prompts in ("imagenet7", ("a photo of a {}.", "{}")):
        found = class_embeddings(bundled, names, prompts)
        for name, vector in zip(names, found, strict=True):
            mean = bundled.encode_texts(fill_prompts(prompts, name), progress=False).mean(0)
            assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert len(fill_prompts("imagenet80", "cat")) == 80
    assert fill_prompts(("a {}.",), "cat {}") == ["a cat {}."]


def checked(embedder: Embedder, folder: Path) -> tuple[Listing, Any, EmbedderCheck]:
    """The listed classes of a folder, the files that could be embedded, and the check of the embedder."""
    listing = listed("folder", folder, folder)
    check_set = CheckSet(name="s", kind="folder", folder="", classes=listing.names, files=listing.files)
    embedded = embed_image_files(embedder, folder, list(listing.files), batch=4, threads=1)
    return listing, embedded, check_embedder(embedder, check_set, embedded.files, embedded.vectors, "imagenet7")


@torch.inference_mode()
def named_by_open_clip(
    model: Any, embedder: Embedder, names: dict[str, str], folder: Path, files: Iterable[str]
) -> list[str]:
    """Key of the class that open_clip itself finds nearest to each image."""
    import open_clip

    classes = []
    for name in names.values():
        texts = [template(name) for template in open_clip.SIMPLE_IMAGENET_TEMPLATES]
        mean = model.encode_text(open_clip.tokenize(texts), normalize=True).mean(0)
        classes.append(mean / mean.norm())
    images = torch.stack([torch.from_numpy(embedder.preprocess(open_image(folder / file))) for file in files])
    nearest = (model.encode_image(images, normalize=True) @ torch.stack(classes).T).argmax(dim=1)
    return [list(names)[place] for place in nearest]


def test_an_open_clip_model_is_checked_as_open_clip_itself_would(
    open_clip_model: tuple[Any, Embedder, Path], tmp_path: Path
) -> None:
    model, embedder, _folder = open_clip_model
    names = ["red_thing", "green thing", "blue"]
    for number in range(12):
        picture(tmp_path / names[number % 3] / f"{number}.png", seed=number)
    (tmp_path / "blue/broken.png").write_bytes(b"no image")
    listing, embedded, check = checked(embedder, tmp_path)
    nearest = named_by_open_clip(model, embedder, listing.names, tmp_path, embedded.files)
    right = sum(key == listing.files[file] for file, key in zip(embedded.files, nearest, strict=True))
    assert check.top1.correct == right
    assert (check.n, check.unreadable) == (13, 1)
    assert check.top5.correct == 12
    assert sum(found.top1.n for found in check.per_class) == 13
    assert sum(found.top1.correct for found in check.per_class) == right
    assert sum(confusion.n for confusion in check.confusions) == 12 - right


def test_the_bundled_embedder_is_checked_on_a_tiny_folder(bundled: Embedder, tmp_path: Path) -> None:
    for number, (name, colour) in enumerate((("lemon", "yellow"), ("strawberry", "red"), ("lemon", "gold"))):
        image = Image.new("RGB", (80, 60), "white")
        ImageDraw.Draw(image).ellipse((10, 10, 70, 50), fill=colour)
        (tmp_path / name).mkdir(exist_ok=True)
        image.save(tmp_path / name / f"{number}.png")
    _, embedded, check = checked(bundled, tmp_path)
    classes = class_embeddings(bundled, ["lemon", "strawberry"], "imagenet7")
    nearest = (embedded.vectors @ classes.T).argmax(1)
    assert check.top1.correct == int((nearest == [0, 0, 1]).sum())
    assert check.top5.correct == check.n == 3
    assert check.embedder == bundled.identity


def test_embeddings_of_other_images_are_refused(bundled: Embedder) -> None:
    check_set = CheckSet(name="s", kind="folder", folder="", classes={"a": "a"}, files={"a/1.png": "a"})
    with pytest.raises(MismatchError, match=r"b/2\.png is not listed"):
        check_embedder(bundled, check_set, ["b/2.png"], unit_rows(1, bundled.dim), "imagenet7")
