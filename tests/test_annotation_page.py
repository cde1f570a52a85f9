"""The annotation page in a real browser, by real keys: judging, undoing, losing the server or the browser."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromium
import pytest
from annotation_site import Server, Site, free_port

from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.log import read_records
from nounflow.schemas.decisions import Decision

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Playwright

pytestmark = pytest.mark.browser

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


# --- judging --------------------------------------------------------------------------------------------------------


def test_each_key_is_its_category_and_the_next_noun_and_picture_follow(sit: Callable[..., Desk], site: Site) -> None:
    desk = sit()
    said = []
    for key in [*KEYS, "1", "5", "e"]:
        said.append((desk.page.locator("#picture").get_attribute("data-image"), desk.noun()))
        desk.press_and_hear(key)
    desk.saved()
    found = decisions(site, desk.annotator)
    assert [(one.image, one.noun) for one in found] == said
    assert [one.category for one in found] == [*KEYS.values(), "correct_primary", "incorrect", "unsure"]
    assert len({image for image, _ in said}) > 1
    assert len(set(said)) == len(said)
    assert {one.tool for one in found} == {"nounflow annotate 3"}
    assert desk.complaints == []


def test_undo_and_redo_walk_back_and_forth_also_after_a_reload(sit: Callable[..., Desk], site: Site) -> None:
    desk = sit()
    first = desk.noun()
    desk.press("q", "d", "z")
    desk.until(lambda: desk.states().count("open") == 2)
    desk.press("z")
    desk.until(lambda: desk.states().count("open") == 3)
    assert desk.noun() == first
    desk.press("x")
    desk.until(lambda: "correct, main subject" in desk.states())
    desk.saved()
    desk.open(desk.server)
    assert "correct, main subject" in desk.states()
    desk.press("x")
    desk.until(lambda: "incorrect" in desk.states())
    desk.press("z", "z")
    desk.until(lambda: desk.states().count("open") == 3)
    desk.saved()
    current = CurrentDecisions(read_records(site.log))
    for one in decisions(site, desk.annotator):
        assert current.current((one.image, one.noun), desk.annotator) == ()


def test_a_noun_can_be_chosen_and_judged_anew_and_a_note_goes_with_it(sit: Callable[..., Desk], site: Site) -> None:
    desk = sit()
    first = desk.noun()
    desk.press("q", "ArrowUp", "c")
    desk.page.keyboard.type("looks like d and s to me")  # keys in a text field do not judge
    desk.press("Enter", "s")
    desk.saved()
    found = [one for one in decisions(site, desk.annotator) if one.noun == first]
    assert [(one.category, one.evidence) for one in found] == [
        ("correct_primary", ""),
        ("correct_primary", "looks like d and s to me"),
        ("close_secondary", "looks like d and s to me"),
    ]


def test_a_note_that_was_only_begun_survives_a_reload(sit: Callable[..., Desk], site: Site) -> None:
    desk = sit()
    place = desk.page.evaluate("location.hash")
    desk.press("c")
    desk.page.keyboard.type("half a no")
    desk.open(desk.server, place)
    desk.press("c")
    desk.page.keyboard.type("te")
    assert desk.page.locator("#note-text").input_value() in ("half a note", "tehalf a no")
    desk.press("Enter", "d")
    desk.saved()
    assert "half a no" in decisions(site, desk.annotator)[0].evidence


def test_the_same_picture_is_there_after_a_reload(sit: Callable[..., Desk]) -> None:
    desk = sit()
    desk.press("f", "f")
    desk.until(lambda: not desk.page.locator("#back").is_disabled())
    desk.page.wait_for_timeout(100)
    shown = desk.page.locator("#place").inner_text()
    desk.page.reload()
    desk.page.locator("#noun:not(:empty)").wait_for()
    assert desk.page.locator("#place").inner_text() == shown
    desk.press("f", "b")
    desk.until(lambda: desk.page.locator("#place").inner_text() == shown)


def test_the_mouse_and_the_keyboard_do_the_same(sit: Callable[..., Desk], site: Site) -> None:
    desk = sit()
    desk.page.get_by_role("button", name="Close something else").click()
    desk.page.get_by_role("button", name="Unsure").click()
    desk.page.get_by_role("button", name="Skip").focus()
    desk.press("Enter")
    desk.saved()
    assert [one.category for one in decisions(site, desk.annotator)] == ["close_secondary", "unsure", "skipped"]


def test_sixty_decisions_a_minute_are_easy(sit: Callable[..., Desk]) -> None:
    desk = sit()
    started = time.monotonic()
    for number in range(30):
        desk.press_and_hear("qwasd"[number % 5])
    desk.saved()
    assert time.monotonic() - started < 20  # a person may look at each for half a second besides


def test_zoom_guideline_and_single_keys(sit: Callable[..., Desk]) -> None:
    desk = sit()
    desk.press("v")
    assert "scale(2.5)" in (desk.page.locator("#picture").get_attribute("style") or "")
    desk.until(lambda: desk.page.locator("#picture").evaluate("p => p.src.endsWith('size=full') && p.complete"))
    desk.press("v")
    assert "scale" not in (desk.page.locator("#picture").get_attribute("style") or "")
    desk.press("?")
    guideline = desk.page.get_by_role("dialog", name="What counts as what")
    assert guideline.is_visible()
    assert guideline.locator("tbody tr").count() == 5
    before = desk.noun()
    desk.press("q")  # nothing is judged behind a dialog
    guideline.get_by_label("Single keys act").uncheck()
    desk.press("Escape", "q", "d")
    desk.page.wait_for_timeout(150)
    assert desk.noun() == before
    assert desk.states().count("open") == len(desk.states())
    desk.page.evaluate("localStorage.removeItem('single-keys')")


def test_two_annotators_judge_blind_and_see_how_far_they_agree(sit: Callable[..., Desk], site: Site) -> None:
    ann, bob = sit("ann"), None
    place = ann.page.evaluate("location.hash")
    nouns = ann.page.locator("#nouns .word").all_inner_texts()
    ann.press("q", "d", "a")
    ann.saved()
    bob = sit("bob", place)
    assert bob.page.locator("#nouns .word").all_inner_texts() == nouns
    assert bob.states() == ["open"] * 3
    bob.press("q", "d", "d")
    bob.saved()
    bob.press("g")
    panel = bob.page.get_by_role("dialog", name="Agreement")
    row = panel.locator("#twos tbody tr", has_text="ann, bob")
    row.wait_for()
    assert row.locator("td").all_inner_texts()[:2] == ["3", "67 %"]
    differing = panel.locator("#differing li", has_text="ann: close, main subject; bob: incorrect")
    differing.get_by_role("button").click()
    bob.until(lambda: bob.noun() == nouns[2] and not panel.is_visible())


# --- nothing is lost ------------------------------------------------------------------------------------------------


def test_what_is_judged_while_the_server_is_away_arrives_when_it_is_back(
    browser: Browser, tmp_path: Path, wordnet_input: Path
) -> None:
    site = Site(tmp_path, wordnet_input, dict(list(PICTURES.items())[:6]))
    port = free_port()
    context = browser.new_context()
    with site.start(port=port) as server:
        desk = Desk(context, server, "ann")
        desk.press("q")
        desk.saved()
        server.kill()
        desk.press("d", "a", "w", "z", "s")
        desk.until(lambda: desk.waiting() == 5)
        alert = desk.page.get_by_role("alert")
        desk.until(lambda: "5 judgements wait" in alert.inner_text())
    with site.start(port=port) as server:
        desk.until(lambda: "started anew" in alert.inner_text())  # it has another token: the old page is locked out
        other = context.new_page()
        other.goto(f"{server.url}&annotator=ann")  # as the user opens what was printed
        desk.until(lambda: desk.waiting() == 0)
        assert not alert.is_visible()
        records = read_records(site.log)
        assert len(records) == 6
        assert [getattr(one, "category", one.kind) for one in records] == [
            *("correct_primary", "incorrect", "close_primary", "correct_secondary", "undo", "close_secondary")
        ]
    context.close()


def kill_browser(profile: Path) -> None:
    """kill -9 the Chromium that was started with this profile, and nothing else."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
            if f"--user-data-dir={profile}".encode() in words and not any(w.startswith(b"--type=") for w in words):
                os.kill(int(process.name), signal.SIGKILL)


def test_what_was_judged_survives_kill_9_of_server_and_browser(
    playwright: Playwright, tmp_path: Path, wordnet_input: Path
) -> None:
    site = Site(tmp_path / "site", wordnet_input, dict(list(PICTURES.items())[:6]))
    profile, port = tmp_path / "profile", free_port()

    def browse() -> BrowserContext:
        (profile / "SingletonLock").unlink(missing_ok=True)
        return playwright.chromium.launch_persistent_context(
            str(profile), executable_path=chromium.find(), args=ARGUMENTS
        )

    with site.start(port=port) as server:
        context = browse()
        desk = Desk(context, server, "ann")
        desk.press("q")
        desk.saved()
        server.kill()
        desk.press("d", "a")
        desk.until(lambda: desk.waiting() == 2 and "2 judgements wait" in desk.page.get_by_role("alert").inner_text())
        kill_browser(profile)
        with contextlib.suppress(Exception):
            context.close()
    with site.start(port=port) as server:
        context = browse()
        desk = Desk(context, server, "ann")
        desk.saved()
        assert [one.category for one in decisions(site, "ann")] == ["correct_primary", "incorrect", "close_primary"]
        assert "3 by you" in desk.page.locator("#progress").inner_text()
        context.close()


# --- what the page is made of ---------------------------------------------------------------------------------------


def test_the_page_asks_nobody_but_its_own_server(sit: Callable[..., Desk], server: Server) -> None:
    desk = sit()
    desk.press("q", "f", "v", "?", "Escape", "g")
    desk.page.wait_for_timeout(300)
    assert desk.asked
    assert [url for url in desk.asked if not url.startswith(server.origin)] == []
    assert desk.complaints == []


def test_names_with_markup_and_control_characters_are_shown_as_text(sit: Callable[..., Desk], site: Site) -> None:
    (file,) = STRANGE
    desk = sit(place=f"#{site.image(file)}")
    assert desk.noun() == EVIL
    assert not desk.page.locator("#file").is_visible()  # it may say what the picture shows
    alternative = desk.page.locator("#picture").get_attribute("alt")
    assert alternative
    assert file not in alternative
    desk.press("n")
    assert desk.page.locator("#file").is_visible()
    assert desk.page.locator("#file").inner_text() == file
    desk.press("n")
    assert not desk.page.locator("#file").is_visible()
    words = desk.page.locator("#nouns .word").all_inner_texts()
    assert words == [EVIL, "(empty)", "ab⟨U+202E⟩cd⟨U+0007⟩"]
    assert desk.page.locator("main img").count() == 1
    assert desk.page.locator("main b b, #noun *, .word *").count() == 0
    desk.press("d", "d", "d")
    desk.saved()
    assert {one.noun for one in decisions(site, desk.annotator)} >= {EVIL, TURNED, ""}
    assert desk.complaints == []


def test_an_annotator_is_asked_for_a_name_and_may_call_themselves_anything(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("dialog", name="Who judges?").wait_for()
    page.keyboard.type("<b>Zoë & Co</b>")
    page.keyboard.press("Enter")
    page.locator("#noun:not(:empty)").wait_for()
    assert page.locator("#who").inner_text() == "<b>Zoë & Co</b>"
    assert "annotator=%3Cb%3EZo" in page.url
    assert "token" not in page.url
    context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_hangs_over_the_edge_and_the_judgements_are_in_sight(sit: Callable[..., Desk], width: int) -> None:
    desk = sit(f"w{width}")
    desk.page.set_viewport_size({"width": width, "height": 700})
    for _ in range(2):
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width
        for button in desk.page.locator("[data-answer][type=button]").all():
            box = button.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 700
            assert box["height"] >= 40
        desk.press("c")
    desk.press("Escape", "?")
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_dark_differ_and_both_can_be_read(sit: Callable[..., Desk], site: Site) -> None:
    faint, papers = [], set()
    for colours in ("light", "dark"):
        desk = sit(f"in {colours}", f"#{site.image('119.png')}", color_scheme=colours)
        desk.press("n", "q")
        chosen = (
            "#noun",
            ".gloss",
            ".more",
            "#progress",
            "#unsent",
            ".label",
            ".label small",
            "#nouns .state",
            ".others button:enabled",
            "#file",
        )
        for selector in (*chosen, "#nouns [data-state] .state"):
            contrast = desk.page.locator(selector).first.evaluate(chromium.CONTRAST)
            if contrast < 4.5:  # WCAG AA
                faint.append((colours, selector, contrast))
        papers.add(desk.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert faint == []
    assert len(papers) == 2


def test_a_screen_reader_finds_names_states_and_what_happened(sit: Callable[..., Desk]) -> None:
    desk = sit()
    page = desk.page
    names = page.eval_on_selector_all(
        "button, input, textarea, progress",
        "all => all.map(e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent)",
    )
    assert all(name.strip() for name in names)
    assert (page.locator("#picture").get_attribute("alt") or "").startswith("Picture ")
    assert page.get_by_role("group", name="Your judgement").count() == 1
    assert page.get_by_role("list", name="On this picture").count() == 1
    assert page.get_by_role("navigation", name="Page").count() == 1
    keys = page.get_by_role("button", name="Correct main subject").get_attribute("aria-keyshortcuts")
    assert keys == "Q 1"
    noun = desk.noun()
    desk.press("q")
    said = page.locator("[role=status][aria-live=polite]")
    desk.until(lambda: said.inner_text().startswith(f"{noun}: correct, main subject. Next: {desk.noun()}."))
    assert page.locator("#nouns [aria-current=true]").count() == 1
    desk.press("ArrowUp")
    assert page.get_by_role("button", name="Correct main subject").get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_picture_that_cannot_be_shown_says_why_and_can_be_passed(
    browser: Browser, tmp_path: Path, wordnet_input: Path
) -> None:
    site = Site(tmp_path, wordnet_input, dict(list(PICTURES.items())[:2]))
    for file in site.folder.glob("images/*.png"):
        file.write_bytes(b"no picture " + file.name.encode())
    with site.start() as server:
        context = browser.new_context()
        desk = Desk(context, server, "ann")
        desk.page.get_by_text("cannot be shown: not an image").wait_for()
        for _ in range(12):  # each of the six is asked again once
            desk.press_and_hear("r")
        desk.page.get_by_text("Nothing is left that you are asked about. You skipped").wait_for()
        context.close()
