"""Judging by real keys in a real browser: undoing, losing the server or the browser."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import chromium
import numpy as np
import pytest
from annotation_desk import ARGUMENTS, KEYS, PICTURES, Desk, decisions
from annotation_site import Site, free_port

from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.log import read_records
from nounflow.images import open_image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Playwright

pytestmark = pytest.mark.browser

# How many judgements this browser's disk holds.
KEPT = """() => new Promise((resolve) => {
  indexedDB.open("nounflow", 1).onsuccess = ({ target: { result: store } }) => {
    store.transaction("waiting").objectStore("waiting").count().onsuccess = ({ target }) => {
      store.close();
      resolve(target.result);
    };
  };
})"""


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


def test_several_nouns_have_a_key_each_and_outlive_kill_9(
    browser: Browser, wordnet_input: Path, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site", wordnet_input, dict(list(PICTURES.items())[:2]))
    box = (0, 0, 100, 100)
    site.name("000.png", "one", ("dog", box), ("sofa", box), ("moon", box), ("cup", box))
    context, of, port = browser.new_context(), ["results/tags.json"], free_port()
    with site.start(of=of, port=port) as server:
        desk = Desk(context, server, "chooser")
        assert not desk.page.get_by_role("button", name="Incorrect").is_visible()
        desk.press("1", "2", "2")
        desk.until(lambda: desk.states() == ["applies", "does not apply", "open", "open"])
        desk.saved()
        server.kill()
        desk.press("3")  # kept in the browser
    with site.start(of=of, port=port) as server:
        desk.open(server)
        desk.until(lambda: desk.states() == ["applies", "does not apply", "applies", "open"])
        desk.press("z")
        desk.page.locator("#nouns button").nth(1).click()
        desk.until(lambda: desk.states() == ["applies", "applies", "open", "open"])
        desk.press("Enter")
        desk.page.get_by_role("heading", name="All done").wait_for()
        desk.press("z")  # what Enter said is one step
        desk.until(lambda: desk.states() == ["applies", "applies", "open", "open"])
        desk.press("x")
        desk.until(lambda: desk.states() == ["applies", "applies", "does not apply", "does not apply"])
        desk.saved()
    said = decisions(site, "chooser")
    assert all(one.several and one.box is None and one.image == site.image("000.png") for one in said)
    current = CurrentDecisions(read_records(site.log))
    stands = {noun: current.current((said[0].place, noun), "chooser")[0].category for noun in ("dog", "sofa", "moon")}
    assert stands == {"dog": "correct_primary", "sofa": "correct_primary", "moon": "incorrect"}
    assert current.current((site.image("000.png"), "dog"), "chooser") == ()  # nothing is said of the usual question
    context.close()


def test_a_box_is_framed_and_its_name_judged(browser: Browser, wordnet_input: Path, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", wordnet_input, dict(list(PICTURES.items())[:2]))
    site.name("001.png", "one", ("cup", (60.2, 39.6, 180, 120)), ("pear", (200, 100, 300, 220)))
    context = browser.new_context()
    with site.start(of=["results/regions.json"]) as server:
        desk = Desk(context, server, "boxer")
        first = desk.noun()
        plain = server.request("GET", f"/pictures/{site.image('001.png')}")
        assert plain.status == 404  # nobody asks of the whole picture
        place = desk.page.locator("#picture").get_attribute("data-image") or ""
        picture = open_image(server.request("GET", f"/pictures/{place}").body)
        desk.press_and_hear("q")
        desk.until(lambda: desk.noun() != first)
        desk.press("d")
        desk.page.get_by_role("heading", name="All done").wait_for()
        desk.saved()
        assert desk.complaints == []
    said = {one.noun: one for one in decisions(site, "boxer")}
    assert {noun: one.box for noun, one in said.items()} == {"cup": (60, 40, 180, 120), "pear": (200, 100, 300, 220)}
    left, top, right, bottom = said[first].box or ()
    for x, y in ((left - 1, top + 20), (right + 1, bottom - 20), (left + 20, top - 1)):
        red, green, blue = np.asarray(picture)[y, x].tolist()
        assert red - max(green, blue) > 50
    context.close()


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
        desk.until(lambda: desk.page.evaluate(KEPT) == 2)  # a judgement is on disk a moment after it is shown
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
