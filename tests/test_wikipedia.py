"""Collecting lead images from a wiki: a local server speaks its API, is busy at times, and counts what it is asked."""

from __future__ import annotations

import csv
import http.server
import io
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nounflow.errors import NounflowError
from nounflow.files import sha256_file
from nounflow.images import list_images
from nounflow.inputs.mediawiki import MediaWiki
from nounflow.inputs.transfer import TransferError
from nounflow.inputs.wikipedia import Collected, collect, plain

ROOT = Path(__file__).parents[1]
LICENCE = {"LicenseShortName": {"value": "CC BY-SA 4.0"}, "LicenseUrl": {"value": "https://example.org/by-sa"}}
AUTHOR = {"Artist": {"value": '<a href="//example.org/u">Ann <b>&amp;</b> Bob</a>'}, "Credit": {"value": "Own work"}}
NOUNS = ["cat", "crane", "kitten", "logo", "dot", "secret", "broken", "nothing", "paper", "dog"]


def page(number: int, title: str, image: str = "", **props: str) -> dict[str, Any]:
    found = {"pageid": number, "ns": 0, "title": title, "lastrevid": 1000 + number}
    found["canonicalurl"] = f"https://example.org/wiki/{title}"
    return found | ({"pageimage": image} if image else {}) | ({"pageprops": props} if props else {})


SEARCH = {  # in the order of the search, best first
    "cat": [page(1, "Cat", "Cat.jpg")],
    "crane": [page(2, "Crane", disambiguation=""), page(3, "Crane (bird)", "Crane.png")],
    "kitten": [page(1, "Cat", "Cat.jpg")],
    "logo": [page(5, "Logo", "Logo.svg")],
    "dot": [page(6, "Dot", "Dot.png")],
    "secret": [page(7, "Secret", "Secret.jpg")],
    "broken": [page(8, "Broken", "Broken.jpg")],
    "paper": [page(9, "Paper")],
    "dog": [page(10, "Dog", "Dog.jpg")],
}


def picture(width: int = 40, height: int = 30, kind: str = "JPEG", colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "Cat.jpg": picture(colour="black"), "Crane.png": picture(kind="PNG"), "Dog.jpg": picture(colour="brown"),
    "Broken.jpg": picture()[:50], "Secret.jpg": picture(),
}  # fmt: skip


class Wiki(http.server.BaseHTTPRequestHandler):
    """Speaks as much of the API as is used, in format version 2."""

    server: Site

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        site = self.server
        site.asked.append((time.monotonic(), parts.path, dict(self.headers)))
        if site.troubles:
            site.troubles.pop(0)(self)
            return
        if parts.path.startswith("/files/"):
            name = parts.path.rpartition("/")[2]
            self.say(FILES[name], kind="image/jpeg")
            return
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert (asked["format"], asked["formatversion"]) == ("json", "2")
        assert asked["maxlag"] == "5"
        if asked.get("generator") == "search":
            assert asked["pilicense"] == "free"
            found = SEARCH.get(asked["gsrsearch"], [])
            pages = [{**one, "index": number + 1} for number, one in enumerate(found)]
            self.say({"batchcomplete": True} | ({"query": {"pages": pages[::-1]}} if pages else {}))
            return
        name = asked["titles"].removeprefix("File:")
        assert asked["prop"] == "imageinfo"
        self.say({"batchcomplete": True, "query": {"pages": [self.image_page(name)]}})

    def image_page(self, name: str) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self.server.server_port}/files"
        kind = {"svg": "image/svg+xml", "png": "image/png"}.get(name[-3:], "image/jpeg")
        side = 100 if name == "Dot.png" else 3000
        meta = AUTHOR if name == "Secret.jpg" else AUTHOR | LICENCE
        info = {
            "timestamp": "2020-01-02T03:04:05Z", "width": side, "height": side, "mime": kind, "sha1": "ab" * 20,
            "url": f"{address}/full/{name}", "thumburl": f"{address}/960px/{name}", "thumbmime": kind,
            "descriptionurl": f"https://example.org/wiki/File:{name}", "extmetadata": meta,
        }  # fmt: skip
        return {"ns": 6, "title": f"File:{name}", "missing": True, "known": True, "imageinfo": [info]}

    def say(self, body: object, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Site(http.server.ThreadingHTTPServer):
    """The server; `troubles` are what the next requests meet."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Wiki)
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.troubles: list[Callable[[Wiki], None]] = []

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/w/api.php"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "*")
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def wiki(site: Site, pause: float = 0.0) -> MediaWiki:
    return MediaWiki(site.api, "ann@example.org", pause, first_wait_s=0.01)


def table(out: Path) -> list[dict[str, str]]:
    with open(out / "images.tsv", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_each_image_has_author_licence_revision_and_hash_and_each_noun_without_one_a_reason(
    site: Site, tmp_path: Path
) -> None:
    counts = collect(NOUNS, tmp_path, wiki(site), 100)
    rows = {row["noun"]: row for row in table(tmp_path)}
    assert list(rows) == ["cat", "crane", "dog"]
    cat = rows["cat"]
    assert (cat["author"], cat["credit"], cat["licence"]) == ("Ann & Bob", "Own work", "CC BY-SA 4.0")
    assert cat["licence_url"] == "https://example.org/by-sa"
    assert (cat["revision"], cat["page"]) == ("1001", "https://example.org/wiki/Cat")
    assert (cat["image"], cat["image_sha1"], cat["image_time"]) == ("File:Cat.jpg", "ab" * 20, "2020-01-02T03:04:05Z")
    assert "/960px/" in cat["image_url"]
    assert rows["crane"]["title"] == "Crane (bird)"  # the page that only tells meanings apart is passed over
    for row in rows.values():
        assert sha256_file(tmp_path / "images" / row["file"]) == row["sha256"]
    assert list_images(tmp_path / "images") == ["1.jpg", "10.jpg", "3.png"]
    dropped = counts.as_dict()["flows"][0]["dropped"]
    assert sum(dropped.values()) == len(NOUNS) - 3
    for words in (
        "image already",
        "no photograph",
        "too small",
        "no licence",
        "cannot be had",
        "no page",
        "free licence",
    ):
        assert any(words in reason for reason in dropped), words


def test_a_collection_goes_on_where_it_was_and_stops_at_what_is_wanted(site: Site, tmp_path: Path) -> None:
    collect(NOUNS, tmp_path, wiki(site), 1)
    assert [row["noun"] for row in table(tmp_path)] == ["cat"]
    n = len(site.asked)
    collect(NOUNS, tmp_path, wiki(site), 1)
    assert len(site.asked) == n
    collect(NOUNS, tmp_path, wiki(site), 100)
    assert sum(path == "/files/960px/Cat.jpg" for _, path, _ in site.asked) == 1
    assert len(table(tmp_path)) == 3


def test_the_wiki_is_asked_one_by_one_with_a_pause_and_a_name(site: Site, tmp_path: Path) -> None:
    collect(NOUNS[:2], tmp_path, wiki(site, pause=0.05), 100)
    times = [at for at, _, _ in site.asked]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.05
    assert all("ann@example.org" in headers["User-Agent"] for _, _, headers in site.asked)
    for contact in ("", "ann", "a@b\nX: y"):
        with pytest.raises(NounflowError, match="contact"):
            MediaWiki(site.api, contact)


def test_a_busy_wiki_is_left_alone_for_as_long_as_it_asks(site: Site, tmp_path: Path) -> None:
    site.troubles = [
        lambda answer: answer.say(b"slow down", 429, Retry_After="0.3"),
        lambda answer: answer.say({"error": {"code": "maxlag", "info": "lagged"}}, Retry_After="0.2"),
    ]
    collect(["cat"], tmp_path, wiki(site), 100)
    assert len(table(tmp_path)) == 1
    first, second, third = (at for at, _, _ in site.asked[:3])
    assert second - first >= 0.3
    assert third - second >= 0.2
    n = len(site.asked)
    site.troubles = [lambda answer: answer.say(b"tomorrow", 429, Retry_After="86400")]
    with pytest.raises(TransferError, match="429"):
        collect(["dog"], tmp_path, wiki(site), 100)
    assert len(site.asked) == n + 1  # it does not ask again within the day


def test_an_address_that_is_no_api_is_said_at_once(site: Site, tmp_path: Path) -> None:
    site.troubles = [lambda answer: answer.say({"error": {"code": "badvalue", "info": "no such"}})]
    with pytest.raises(NounflowError, match="badvalue"):
        collect(["cat"], tmp_path, wiki(site), 100)
    assert len(site.asked) == 1


def test_a_killed_collection_loses_and_doubles_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "nouns.txt").write_text("\n".join(NOUNS))
    command = [
        sys.executable, str(ROOT / "workflow_scripts/collect_wikipedia.py"), "--nouns", str(tmp_path / "nouns.txt"),
        "--out", str(tmp_path / "out"), "--images", "100", "--contact", "ann@example.org", "--api", site.api,
    ]  # fmt: skip
    child = subprocess.Popen([*command, "--pause", "0.05"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None and len(site.asked) < 9:
        time.sleep(0.005)
    assert child.poll() is None
    child.kill()
    child.communicate()
    assert not (tmp_path / "out/images.tsv").exists()
    done = subprocess.run([*command, "--pause", "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(row["noun"] for row in table(tmp_path / "out")) in (
        ["cat", "crane", "dog"],
        ["crane", "dog", "kitten"],
    )
    fetched = [path for _, path, _ in site.asked if path.startswith("/files/")]
    assert len(fetched) <= len(set(fetched)) + 1  # at most the one that was under way


@given(st.text(st.characters(exclude_characters="<&", exclude_categories=["Cs"])))
def test_the_words_of_plain_text_stay(text: str) -> None:
    assert plain(text) == " ".join(text.split())


def test_every_column_of_a_row_is_in_the_table(site: Site, tmp_path: Path) -> None:
    collect(["cat"], tmp_path, wiki(site), 1)
    assert list(table(tmp_path)[0]) == [name for name in Collected.model_fields if name != "left_out"]
