"""Opening images as people have them: every odd kind is shown upright in RGB, or refused with its reason."""

from __future__ import annotations

import contextlib
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from nounflow.errors import NounflowError
from nounflow.images import MAX_PIXELS, ImageError, list_images, open_image, to_rgb

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes that says it is huge."""

    def chunk(kind: bytes, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    return path


# --- refused, with the reason ---


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        open_image(tmp_path / "a.png")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        open_image(tmp_path / "a.png")


def test_a_folder_with_an_image_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ImageError):
        open_image(tmp_path / "a.png")


def test_text_with_an_image_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    with pytest.raises(ImageError, match="not an image"):
        open_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "tif", "bmp"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    path = saved(Image.fromarray(noise), tmp_path / f"a.{kind}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError):
        open_image(path)


def test_a_damaged_png_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    path = saved(Image.fromarray(noise), tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ImageError, match="broken"):
        open_image(path)


@pytest.mark.parametrize("side", [14_000, 30_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    assert side**2 > MAX_PIXELS
    with pytest.raises(ImageError, match="too large"):
        open_image(bomb(tmp_path / "a.png", side, side))


# --- handled ---


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in (RED, (0, 0, 255))]
    for kind in ("gif", "webp", "png"):
        path = saved(frames[0], tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:], lossless=True)
        image = open_image(path)
        assert image.mode == "RGB"
        assert image.size == (20, 10)
        assert image.getpixel((3, 3)) == RED, kind


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (16, 16), RED).convert("CMYK"), tmp_path / "a.jpg", quality=100)
    assert Image.open(path).mode == "CMYK"
    assert np.abs(np.asarray(open_image(path), dtype=int) - RED).max() < 12


def test_a_16_bit_png_is_scaled_not_clipped(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    image = np.asarray(open_image(saved(Image.fromarray(grey), tmp_path / "a.png")), dtype=int)
    assert np.abs(image[..., 0] - grey / 257).max() <= 1
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize(("most", "kind"), [(1, "float32"), (255, "float32"), (5e4, "float32"), (2**31 - 1, "int32")])
def test_greys_of_any_range_are_scaled(most: float, kind: str, tmp_path: Path) -> None:
    grey = np.linspace(0, most, 256).astype(kind).reshape(16, 16)
    expected = np.asarray(open_image(saved(Image.fromarray(grey), tmp_path / "a.tiff")))[..., 0]
    assert np.abs(expected.ravel() - np.arange(256.0)).max() <= 1


def test_greys_that_are_no_numbers_leave_the_others_as_they_are(tmp_path: Path) -> None:
    grey = np.array([[0.5, np.nan], [np.inf, 1.0]], dtype=np.float32)
    found = open_image(saved(Image.fromarray(grey), tmp_path / "a.tiff"))
    assert np.asarray(found)[..., 0].tolist() == [[127, 0], [255, 255]]


def test_a_float_tiff_is_scaled(tmp_path: Path) -> None:
    grey = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    image = np.asarray(open_image(saved(Image.fromarray(grey), tmp_path / "a.tif")), dtype=int)
    assert np.abs(image[..., 0] - 255 * grey).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (8, 8), (0,) * len(mode))  # black, wholly transparent
    image.putpixel((2, 2), (0,) * (len(mode) - 1) + (255,))
    opened = open_image(saved(image, tmp_path / "a.png"))
    assert opened.getpixel((0, 0)) == WHITE
    assert opened.getpixel((2, 2)) == (0, 0, 0)


def test_half_transparent_black_is_grey(tmp_path: Path) -> None:
    opened = open_image(saved(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), tmp_path / "a.png"))
    assert abs(int(np.asarray(opened)[1, 1, 0]) - 127) <= 1


def test_a_transparent_palette_colour_lies_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putpixel((2, 2), 1)
    for kind in ("png", "gif"):
        opened = open_image(saved(image, tmp_path / f"a.{kind}", transparency=0))
        assert opened.getpixel((0, 0)) == WHITE, kind
        assert opened.getpixel((2, 2)) == RED, kind


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (60, 30), WHITE)
    upright.paste(RED, (0, 0, 20, 10))  # the top left corner
    undo = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_270],
    }[orientation]  # fmt: skip
    stored = upright
    for step in undo:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(saved(stored, tmp_path / "a.png", exif=exif))
    assert opened.size == (60, 30)
    assert np.array_equal(np.asarray(opened), np.asarray(upright))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "RGBA", "LA", "CMYK"])
def test_every_mode_of_pillow_becomes_rgb(mode: str) -> None:
    image = to_rgb(Image.new(mode, (5, 7)))
    assert image.mode == "RGB"
    assert image.size == (5, 7)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_damage_makes_anything_but_an_image_or_a_reason(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind = data.draw(st.sampled_from(["png", "jpg", "gif", "webp", "bmp", "tif"]))
    path = tmp_path_factory.mktemp("damage") / f"a.{kind}"
    content = bytearray(saved(Image.new("RGB", (24, 16), RED), path).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with contextlib.suppress(ImageError):  # any other exception would end a run
        assert open_image(path).mode == "RGB"


def test_damaged_exif_does_not_cost_the_photograph(tmp_path: Path) -> None:
    """The width as text: EXIF that Pillow reads and cannot write back."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "hello"
    path = saved(Image.new("RGB", (30, 20), RED), tmp_path / "a.jpg", exif=exif)
    entry = struct.pack(">HH", 0x010E, 2)
    assert path.read_bytes().count(entry) == 1
    path.write_bytes(path.read_bytes().replace(entry, struct.pack(">HH", 0x0100, 2)))
    assert open_image(path).size == (20, 30)


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_what_phones_write_is_read(tmp_path: Path, kind: str) -> None:
    opened = open_image(saved(Image.new("RGB", (64, 48), RED), tmp_path / f"a.{kind}"))
    assert opened.size == (64, 48)
    assert abs(int(np.asarray(opened)[20, 30, 0]) - 255) < 12


# --- folders ---


def test_pictures_that_cannot_be_read_are_listed_so_that_they_are_reported(tmp_path: Path) -> None:
    for name in ("a.CR2", "b.svg", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    assert list_images(tmp_path) == ["a.CR2", "b.svg", "c.png"]
    with pytest.raises(ImageError, match="convert it to JPEG"):
        open_image(tmp_path / "a.CR2")


def test_images_are_listed_sorted_with_their_sub_folders_and_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "sub dir/it's c.webp", ".hidden.png", ".cache/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert list_images(tmp_path) == ["a.jpg", "b.PNG", "sub dir/it's c.webp"]


def test_a_folder_without_images_says_what_would_count(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(NounflowError, match="no images") as caught:
        list_images(tmp_path)
    assert ".jpeg" in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NounflowError) as caught:
        list_images(tmp_path / "gone")
    assert "gone" in str(caught.value)


# --- read although something is amiss that no pixel needs ---


def test_a_png_with_a_long_comment_or_a_long_profile_is_read(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 48), "green")
    comment = PngImagePlugin.PngInfo()
    comment.add_text("parameters", "x" * 80_000_000, zip=True)
    for path in (
        saved(image, tmp_path / "comment.png", pnginfo=comment),
        saved(image, tmp_path / "profile.png", icc_profile=b"\0" * 2_000_000),
    ):
        found = open_image(path)
        assert np.array_equal(np.asarray(found), np.asarray(image))
        assert "comments" in found.info["note"]


def test_a_jpeg_that_lacks_only_its_end_mark_is_read_and_one_that_lacks_more_is_not(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    whole = saved(Image.fromarray(noise), tmp_path / "whole.jpg").read_bytes()
    found = open_image(whole[:-2])
    assert np.array_equal(np.asarray(found), np.asarray(open_image(whole)))
    assert "end mark" in found.info["note"]
    for cut in (40, len(whole) // 2):
        with pytest.raises(ImageError, match="broken"):
            open_image(whole[:-cut])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "F", "PA"])
def test_a_large_image_is_converted_strip_by_strip_to_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    values = np.random.default_rng(2).integers(0, 255, (60, 40, 4), dtype=np.uint8)
    image = Image.fromarray(values).convert("L" if mode == "F" else mode if mode != "I;16" else "L")
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    image = image.convert(mode) if mode == "F" else image
    whole = np.asarray(to_rgb(image))
    monkeypatch.setattr("nounflow.images._STRIP_PIXELS", 40 * 7)
    assert np.array_equal(np.asarray(to_rgb(image)), whole)


def test_opening_in_several_threads_leaves_the_filters_of_warnings_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    before, opened = list(warnings.filters), Image.open
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()

    def overlapping(source: Path) -> Image.Image:
        mine, other = (second_is_in, first_is_out) if first_is_in.is_set() else (first_is_in, second_is_in)
        mine.set()
        assert other.wait(10)
        return opened(source)

    monkeypatch.setattr(Image, "open", overlapping)
    first, second = (threading.Thread(target=open_image, args=[path]) for _ in range(2))
    first.start()
    assert first_is_in.wait(10)
    second.start()
    first.join()
    first_is_out.set()
    second.join()
    assert warnings.filters == before
