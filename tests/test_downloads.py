"""Image sets on the web: fetched, unpacked and recorded, or refused with nothing left behind."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from input_material import run_script
from PIL import Image

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.inputs.archives import safe_name, unpack_zip
from nounflow.inputs.download import download, fetch_wiki, fetch_world
from nounflow.inputs.transfer import TransferError, retried

pytestmark = pytest.mark.usefixtures("no_waiting_and_no_wordnet")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `busy` answers 503 twice, `cut` promises more than it sends."""

    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        name = Path(self.path).name
        self.asked.append(name)
        if name.startswith("busy") and self.asked.count(name) < 3:
            self.send_error(503)
        elif name.startswith("cut"):
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path, list[str]]]:
    """(address, folder, names asked for) of a server on this machine."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "web"
    folder.mkdir()

    class OneHandler(Handler):
        asked: ClassVar[list[str]] = []

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(OneHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder, OneHandler.asked
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(path: Path, names: tuple[str, ...] = ("world/a.png", "world/b.png", "world/notes.txt")) -> Path:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, picture.getvalue())
    return path


def test_a_published_set_is_fetched_unpacked_and_recorded(tmp_path: Path, web: tuple[str, Path, list[str]]) -> None:
    address, folder, _ = web
    zipped(folder / "set.zip")
    out = tmp_path / "novic_world"
    done = run_script("--name", "novic_world", "--out", out, "--url", f"{address}/set.zip")
    assert done.returncode == 0, done.stderr
    assert f"fetching {address}/set.zip: 0.0 MB" in done.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    assert list(manifest["files"]) == ["world/a.png", "world/b.png", "world/notes.txt"]
    assert manifest["source"] == f"{address}/set.zip"
    assert manifest["licence"].startswith("CC BY-NC-SA 4.0")


def test_a_busy_server_is_asked_again(tmp_path: Path, web: tuple[str, Path, list[str]]) -> None:
    address, folder, asked = web
    zipped(folder / "busy.zip")
    manifest = fetch_wiki(tmp_path / "out", tmp_path / "cache", url=f"{address}/busy.zip")
    assert asked == ["busy.zip"] * 3
    assert len(manifest.files) == 3


def test_a_missing_page_is_reported_once_and_at_once(tmp_path: Path, web: tuple[str, Path, list[str]]) -> None:
    address, _, asked = web
    done = run_script("--name", "novic_wiki", "--out", tmp_path / "out", "--url", f"{address}/gone.zip")
    assert done.returncode == 1
    assert "error: The server answered 404" in done.stderr
    assert "--url" in done.stderr
    assert "Traceback" not in done.stderr
    assert asked == ["gone.zip"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_transfer_that_breaks_off_is_tried_three_times(tmp_path: Path, web: tuple[str, Path, list[str]]) -> None:
    address, _, asked = web
    with pytest.raises(TransferError, match="after 100 of 5,000 bytes"):
        fetch_wiki(tmp_path / "out", tmp_path / "cache", url=f"{address}/cut.zip")
    assert asked == ["cut.zip"] * 3
    assert not (tmp_path / "out/manifest.json").exists()


def test_a_server_that_is_not_there_is_a_plain_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(TransferError, match="refused"):
        retried(lambda: download("http://127.0.0.1:9/a.zip", tmp_path / "a.zip"))


def test_a_truncated_zip_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedFileError, match="damaged or cut off"):
        fetch_world(tmp_path / "out", tmp_path / "cache", url=path.as_uri())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip")
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="CRC"):
        unpack_zip(path, tmp_path / "out", 10**9)


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "..\\evil.png", "C:/evil.png"])
def test_an_archive_that_reaches_outside_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "set.zip", ("good.png", name))
    with pytest.raises(DamagedFileError, match="outside"):
        fetch_world(tmp_path / "in/out", tmp_path / "in/cache", url=path.as_uri())
    assert not list(tmp_path.rglob("evil.png"))
    assert not list(tmp_path.rglob("good.png"))


@given(st.text(alphabet="ab./\\:", min_size=1, max_size=12))
def test_a_name_is_refused_or_lies_below_its_folder(name: str) -> None:
    with contextlib.suppress(DamagedFileError):
        inside = os.path.normpath("/folder" / safe_name(name, "x"))
        assert inside.startswith("/folder/")


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2_000_000))
    with pytest.raises(NounflowError, match="2 MB, more than the 1 MB allowed"):
        unpack_zip(tmp_path / "bomb.zip", tmp_path / "out", 1_000_000)
    assert not (tmp_path / "out").exists()


def test_a_download_stops_at_its_limit(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    with pytest.raises(NounflowError, match="larger than the 1 MB allowed"):
        download((tmp_path / "big").as_uri(), tmp_path / "copy", max_bytes=1_000_000)


def test_a_zip_without_images_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", ("readme.txt",))
    with pytest.raises(NounflowError, match="no images"):
        fetch_world(tmp_path / "out", tmp_path / "cache", url=path.as_uri())
    assert not (tmp_path / "out/manifest.json").exists()


@pytest.mark.parametrize("url", ["ftp://host/a.zip", "a.zip"])
def test_only_web_addresses_and_files_are_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(NounflowError, match="Not an address"):
        fetch_world(tmp_path / "out", tmp_path / "cache", url=url)
