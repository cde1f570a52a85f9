"""What Python programs hold images in: each form gives the same pixels, anything else a plain TypeError."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nounflow.image_sources import as_image, images_of, is_image, title_of
from nounflow.images import ImageError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    return tmp_path / "a.png"


FORMS: dict[str, Any] = {
    "path": lambda path: path,
    "text": str,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "file": lambda path: path.open("rb"),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "PIL": Image.open,
    "numpy": lambda _: PIXELS,
    "numpy, floats": lambda _: PIXELS / np.float32(255),
    "torch": lambda _: torch.from_numpy(PIXELS).permute(2, 0, 1),
    "torch, floats": lambda _: torch.from_numpy(PIXELS).permute(2, 0, 1) / 255,
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_pixels(path: Path, form: str) -> None:
    source = FORMS[form](path)
    assert is_image(source)
    assert np.array_equal(np.asarray(as_image(source)), PIXELS)


def test_grey_and_transparent_arrays_are_shown_as_files_are() -> None:
    grey = as_image(PIXELS[..., 0])
    assert np.array_equal(np.asarray(grey)[..., 1], PIXELS[..., 0])
    assert np.array_equal(np.asarray(as_image(PIXELS[..., :1])), np.asarray(grey))
    clear = np.dstack([PIXELS, np.zeros((5, 7), np.uint8)])
    assert (np.asarray(as_image(clear)) == 255).all()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "NoneType is no image"),
        (3.5, "float is no image"),
        (np.zeros((2, 3, 4, 5), np.uint8), r"\[2, 3, 4, 5\]"),
        (np.zeros((0, 3, 3), np.uint8), r"\[0, 3, 3\]"),
        (np.zeros((4, 4, 2), np.uint8), r"\[4, 4, 2\]"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.full((4, 4), 255.0), "outside 0 to 1"),
        (np.full((4, 4), np.nan), "outside 0 to 1"),
        (io.StringIO("text"), "text file"),
        (torch.zeros(5, 4, 3), r"\[5, 4, 3\]"),  # as it came, not as it would be turned
    ],
)
def test_what_is_no_image_is_refused_with_what_is_taken(source: object, said: str) -> None:
    with pytest.raises(TypeError, match=said) as caught:
        as_image(source)
    assert "torch tensor" in str(caught.value)


def test_what_cannot_be_read_has_its_reason(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])
    for source in (path, path.read_bytes(), path.open("rb"), Image.open(path)):
        with pytest.raises(ImageError):
            as_image(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [("https://a.example/cat.jpg", "address"), ("a" * 5000, "too long"), (".", "folder"), (None, "closed file")],
)
def test_what_is_no_file_has_its_reason(source: object, reason: str) -> None:
    if source is None:
        source = io.BytesIO(b"...")
        source.close()
    with pytest.raises(ImageError, match=reason) as caught:
        as_image(source)
    assert len(str(caught.value)) < 100


def test_an_image_by_name_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match="dict is no image"):
        images_of({"image": b"..."})


def test_one_image_is_told_from_several(path: Path) -> None:
    assert not is_image(path.parent)
    assert not is_image([path])
    assert is_image("")  # not the working folder
    with pytest.raises(ImageError):
        as_image("")
    assert not is_image(np.zeros((2, 4, 4, 3), np.uint8))
    assert [title_of(source) for source in (path, str(path), path.open("rb"), b"")] == [str(path)] * 3 + [""]
