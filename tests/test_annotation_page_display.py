"""What the annotation page shows and asks for: to eyes on any screen, to a screen reader, to other servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import chromium
import pytest
from annotation_desk import EVIL, PICTURES, STRANGE, TURNED, Desk, decisions
from annotation_site import Server, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


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
