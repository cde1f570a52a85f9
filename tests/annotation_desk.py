"""The annotation page in a real browser, and who sits at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromium
import pytest
from annotation_site import Server, Site

from nounflow.annotation.log import read_records
from nounflow.schemas.decisions import Decision

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Playwright

KEYS = {
    "q": "correct_primary",
    "w": "correct_secondary",
    "a": "close_primary",
    "s": "close_secondary",
    "d": "incorrect",
}
EVIL = "<img src=x onerror=alert(1)><b>bold</b>"
TURNED = "ab\u202ecd\x07"
NOUNS = ("dog", "cup", "teapot", "boat", "sofa", "wolf", "moon", "pear")
PICTURES = {
    f"{number:03}.png": ([NOUNS[number % 8], NOUNS[(number + 1) % 8]], [NOUNS[number % 8], NOUNS[(number + 3) % 8]])
    for number in range(120)  # enough that no two tests come to the same one
}
STRANGE = {'<i>it\'s & "strange".png': ([EVIL, TURNED], [EVIL, ""])}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium.find() is None:
        pytest.skip(chromium.REASON)
    with sync_api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, wordnet_input: Path) -> Site:
    site = Site(tmp_path_factory.mktemp("page"), wordnet_input, {**PICTURES, **STRANGE})
    site.configure(second_pass=1.0)  # every picture may be judged by two
    return site


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.start() as server:
        yield server


class Desk:
    """An annotator at the page; notes what the page asks for and complains about."""

    def __init__(self, context: BrowserContext, server: Server, annotator: str, place: str = "") -> None:
        self.page = context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.server, self.annotator = server, annotator
        self.open(server, place)

    def open(self, server: Server, place: str = "") -> None:
        self.page.goto(f"{server.url}&annotator={self.annotator}{place}")
        self.page.locator("#noun:not(:empty)").wait_for()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        self.page.locator("#unsent[data-state=saved][data-waiting='0']").wait_for()

    def noun(self) -> str:
        return self.page.locator("#noun").inner_text()

    def states(self) -> list[str]:
        return self.page.locator("#nouns .state").all_inner_texts()

    def waiting(self) -> int:
        return int(self.page.locator("#unsent").get_attribute("data-waiting") or 0)

    def press_and_hear(self, key: str) -> None:
        """Press a key and wait for what the page says of it."""
        before = self.page.locator("#said").inner_text()
        self.press(key)
        self.until(lambda: self.page.locator("#said").inner_text() != before)

    def until(self, what: Callable[[], object], seconds: int = 60) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, "waited too long"
            self.page.wait_for_timeout(20)


@pytest.fixture
def sit(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Desk]]:
    """Sit down at the page; each test is an annotator of its own."""
    contexts = []

    def down(annotator: str | None = None, place: str = "", **options: Any) -> Desk:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}, **options))
        return Desk(contexts[-1], server, annotator or request.node.name[5:45], place)

    yield down
    for context in contexts:
        context.close()


def decisions(site: Site, annotator: str) -> list[Decision]:
    return [one for one in read_records(site.log) if isinstance(one, Decision) and one.annotator == annotator]
