"""What of a folder is taken for an image, and that nothing is passed over in silence."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nounflow import image_folders
from nounflow.escaping import escaped, spreadsheet_cell
from nounflow.image_folders import list_images
from nounflow.images import open_image


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folders, "_said", set())


def picture(path: Path, kind: str = "JPEG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), "green").save(path, format=kind)
    return path


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".JIF", ".pjpeg", ".mpo"])
def test_a_jpeg_by_another_ending_is_taken_and_read(tmp_path: Path, ending: str) -> None:
    path = picture(tmp_path / f"a{ending}")
    assert list_images(tmp_path) == [path.name]
    assert open_image(path).size == (64, 48)


def test_what_looks_like_a_picture_and_is_not_taken_is_counted_by_ending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "b.jpg_large")
    picture(tmp_path / "c")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    assert list_images(tmp_path) == ["a.jpg"]
    said = capsys.readouterr().err
    assert ".jpg_large (1), none (1)" in said
    assert "txt" not in said
    assert "mp4" not in said


def test_a_linked_folder_is_entered_once_and_a_loop_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "one/a.jpg")
    picture(tmp_path / "elsewhere/b.jpg")
    root = tmp_path / "photos"
    root.mkdir()
    (root / "one").symlink_to(tmp_path / "one")
    (root / "again").symlink_to(tmp_path / "one")
    (tmp_path / "one/loop").symlink_to(root)
    assert list_images(root) == ["again/a.jpg"]
    said = capsys.readouterr().err
    assert "photos/one" in said
    assert "loop" in said


def test_a_folder_that_cannot_be_entered_is_named_and_the_others_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "open/a.jpg")
    picture(tmp_path / "closed/b.jpg")
    picture(tmp_path / "listed/c.jpg")
    real_scan, real_file = os.scandir, Path.is_file

    def scan(path: Path) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real_scan(path)

    def is_file(path: Path) -> bool:
        if path.parent.name == "listed":
            raise PermissionError(13, "Permission denied", str(path))
        return real_file(path)

    monkeypatch.setattr(os, "scandir", scan)
    monkeypatch.setattr(Path, "is_file", is_file)
    assert list_images(tmp_path) == ["open/a.jpg"]
    assert list_images(tmp_path) == ["open/a.jpg"]
    said = capsys.readouterr().err.splitlines()
    assert sorted(line.split(": ")[1] for line in said) == [
        f"{tmp_path}/closed (Permission denied)",
        f"{tmp_path}/listed (Permission denied)",
    ]


def test_a_name_that_is_no_utf8_is_left_out_by_name_where_documents_must_hold_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.jpg")
    name = os.fsdecode(b"caf\xe9.jpg")
    picture(tmp_path / "b.jpg").rename(tmp_path / name)
    assert list_images(tmp_path) == ["a.jpg"]
    assert r"caf\xe9.jpg" in capsys.readouterr().err
    assert list_images(tmp_path, any_name=True) == ["a.jpg", name]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (os.fsdecode(b"caf\xe9.png"), r"caf\xe9.png"),
        ("two\nlines\x1b[2J", r"two\nlines\x1b[2J"),
        ("half \ud83d", r"half \ud83d"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("Füße 足.jpg", "Füße 足.jpg"),
        (unicodedata.normalize("NFD", "é"), unicodedata.normalize("NFD", "é")),
    ],
)
def test_a_name_is_shown_as_one_line_that_any_terminal_can_show(name: str, shown: str) -> None:
    assert escaped(name) == shown
    escaped(name).encode("utf-8")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1.jpg", "-a.jpg", "@b.jpg"])
def test_a_name_is_no_formula_in_a_spreadsheet(name: str) -> None:
    assert spreadsheet_cell(name) == f"'{name}"
    assert spreadsheet_cell("a.jpg") == "a.jpg"
