"""The report in a real browser with no network: filters, screens, colours, words for all that is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import chromium
import pytest

from nounflow.schemas.documents import read_document
from nounflow.scoring.results import Scores

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (path := chromium.find()):
        pytest.skip(chromium.REASON)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        launched.close()


class Visit:
    """A page opened from disk, with all that it asked for and complained about."""

    def __init__(
        self,
        browser: Browser,
        file: Path,
        width: int,
        colours: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=colours, java_script_enabled=scripts
        )
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.route("**/*", self._route)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = file.as_uri()
        self.page.goto(self.url)

    def _route(self, route: Route) -> None:
        url = route.request.url
        if url == self.url or url.startswith("data:"):
            route.continue_()
        else:
            self.asked.append(url)
            route.abort()

    def shown(self) -> int:
        return self.page.locator(".card:visible").count()


@pytest.fixture
def visit(browser: Browser, report_results: tuple[Path, list[str]]) -> Iterator[Callable[..., Visit]]:
    opened = []

    def go(**options: Any) -> Visit:
        opened.append(Visit(browser, report_results[0] / "report.html", **options))
        return opened[-1]

    yield go
    for one in opened:
        one.context.close()


def test_the_browser_asks_for_nothing_and_finds_no_fault(visit: Callable[..., Visit]) -> None:
    seen = visit(width=1280)
    seen.page.locator("#reading").scroll_into_view_if_needed()
    assert seen.asked == []
    assert seen.complaints == []
    widths = seen.page.eval_on_selector_all(".card img", "images => images.map(image => image.naturalWidth)")
    assert widths == [360] * 5


def test_the_table_holds_every_row_of_the_scores(
    visit: Callable[..., Visit], report_results: tuple[Path, list[str]]
) -> None:
    rows = read_document(Scores, report_results[0] / "scores.json", "scores").rows
    cells = visit(width=1280).page.locator("table.scores tbody tr").all_inner_texts()
    assert len(cells) == len(rows) == 2
    for row in rows:
        (text,) = [cell for cell in cells if cell.startswith(f"{row.run}\n")]
        assert f"{100 * row.prediction_score:.1f}" in text


def test_the_filters_show_what_they_count(visit: Callable[..., Visit]) -> None:
    seen = visit(width=1280)
    assert seen.shown() == 5
    seen.page.get_by_role("button", name=re.compile("^right")).click()
    assert seen.shown() == 2  # the decoder's dog and cat
    seen.page.get_by_role("button", name=re.compile("^close")).click()
    assert seen.shown() == 0
    assert seen.page.locator("#none").is_visible()
    assert seen.complaints == []


def test_a_verdict_is_that_of_the_run_that_is_shown(visit: Callable[..., Visit]) -> None:
    seen = visit(width=1280)
    seen.page.get_by_role("button", name=re.compile("^close")).click()
    seen.page.get_by_role("button", name="tiny_retrieval").click()
    assert seen.shown() == 1  # retrieval's mouse for the cat
    assert seen.page.locator("#shown").inner_text() == "1 of 5 shown"
    assert seen.page.locator(".said:visible .noun").first.inner_text().startswith("mouse")
    seen.page.get_by_role("button", name=re.compile("^not judged")).click()
    assert seen.shown() == 1
    seen.page.get_by_role("button", name=re.compile("^runs differ")).click()
    assert seen.shown() == 2
    assert seen.page.locator("button[aria-pressed=true]").count() == 2
    assert seen.complaints == []


def test_all_runs_and_all_verdicts_can_be_shown_again(visit: Callable[..., Visit]) -> None:
    seen = visit(width=1280)
    seen.page.get_by_role("button", name="tiny_retrieval").click()
    seen.page.get_by_role("button", name=re.compile("^not judged")).click()
    for name in ("all runs", re.compile("^all \\d")):
        seen.page.get_by_role("button", name=name).click()
    assert seen.page.locator(".said:visible").count() == 10
    assert seen.complaints == []


def test_confident_errors_and_words_can_be_looked_for(visit: Callable[..., Visit]) -> None:
    seen = visit(width=1280)
    seen.page.get_by_role("button", name=re.compile("^wrong but confident")).click()
    assert seen.shown() == 2  # the decoder's sheep and teapot
    seen.page.locator("#search").fill("TEAPOT")
    assert seen.shown() == 1
    seen.page.locator("#search").fill("no such noun")
    assert seen.shown() == 0
    assert seen.page.locator("#none").is_visible()
    assert seen.complaints == []


def test_without_scripts_every_card_and_run_is_there(visit: Callable[..., Visit]) -> None:
    seen = visit(width=1280, scripts=False)
    assert seen.shown() == 5
    assert seen.page.locator(".said:visible").count() == 10
    assert not seen.page.locator("#controls").is_visible()


@pytest.mark.parametrize("width", [320, 375, 390, 768])
def test_nothing_hangs_over_the_edge_of_a_narrow_screen(visit: Callable[..., Visit], width: int) -> None:
    seen = visit(width=width)
    for details in seen.page.locator("details").all():
        details.locator("summary").click()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


LONG = "siglip_so400m_384_of_the_whole_dictionary_with_three_captions_a_noun_and_gauss_elem_noise_seed_1"


@pytest.fixture(scope="module")
def long_named(tmp_path_factory: pytest.TempPathFactory, report_results: tuple[Path, list[str]]) -> Path:
    """The page where a run has a very long name."""
    page = (report_results[0] / "report.html").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("long") / "report.html"
    path.write_text(page.replace("tiny_<wbr>retrieval", "_<wbr>".join(LONG.split("_"))), encoding="utf-8")
    return path


def test_long_names_break_behind_their_signs_and_widen_no_page(browser: Any, long_named: Path) -> None:
    seen = Visit(browser, long_named, width=390)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
    heights = seen.page.eval_on_selector_all(
        "h1, .dot-name, table.scores th[scope=row]",
        "all => all.filter(one => one.textContent.includes('siglip')).map(one => one.scrollWidth - one.clientWidth)",
    )
    assert len(heights) > 2
    assert max(heights) <= 1  # nothing is cut off
    seen.context.close()


def test_on_a_phone_wide_tables_scroll_within_and_say_so(visit: Callable[..., Visit]) -> None:
    page = visit(width=390).page
    found = page.eval_on_selector_all(
        "div.scroll",
        """all => all.filter(one => one.clientWidth).map(one => {
          const box = one.getBoundingClientRect(), hint = getComputedStyle(one, "::before");
          return {wide: one.scrollWidth > one.clientWidth + 1, inside: box.left >= 0 && box.right <= innerWidth,
                  hint: hint.content.includes("scroll sideways"), size: parseFloat(hint.fontSize),
                  edge: getComputedStyle(one).borderRightStyle, overflow: getComputedStyle(one).overflowX};
        })""",
    )
    assert {one["wide"] for one in found} == {True, False}
    for one in found:
        assert one["inside"]
        assert one["overflow"] == "auto"
        assert one["hint"] == one["wide"] == (one["edge"] == "dashed")
    table = page.locator("div.scroll.wider").first
    table.evaluate("one => one.scrollTo(9999, 0)")
    assert table.evaluate("one => one.scrollLeft") > 0
    assert page.evaluate("scrollX") == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_text_of_charts_is_large_enough_to_read(visit: Callable[..., Visit], width: int) -> None:
    page = visit(width=width).page
    sizes = page.eval_on_selector_all(
        "svg.chart text",
        "all => all.map(one => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a)",
    )
    sizes += page.eval_on_selector_all(
        ".dots .scale span, .dots .dot-name, .dots .kind, .dots .dot-value, .legend li, figure .small",
        "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))",
    )
    assert len(sizes) > 30
    assert min(sizes) >= 13


def test_the_first_screen_says_which_run_names_best_and_what_a_score_is(
    visit: Callable[..., Visit], report_results: tuple[Path, list[str]]
) -> None:
    scores = read_document(Scores, report_results[0] / "scores.json", "scores")
    best, other = sorted(scores.rows, key=lambda row: -row.prediction_score)
    for width in (390, 1280):
        page = visit(width=width).page
        head = page.locator("header")
        assert head.evaluate("one => one.getBoundingClientRect().height") <= 800  # one screen
        title = head.locator("h1").inner_text()
        said, meaning = head.locator(".lead").all_inner_texts()
        assert title == f"{best.run} scores highest, but no difference from {other.run} is shown"
        low, high = best.prediction_score_low, best.prediction_score_high
        assert f"On {best.n} photographs" in said
        assert f"{100 * best.prediction_score:.1f} of 100 (95 % interval {100 * low:.1f} to {100 * high:.1f})" in said
        assert f"points beside {other.run} (95 % interval" in said
        assert meaning.startswith("Score:")
        assert head.locator("li:not(nav li), p:not(.lead, .brand)").count() == 0


def test_all_counts_stand_in_one_table(visit: Callable[..., Visit]) -> None:
    page = visit(width=1280).page
    assert page.locator("#counts table.counts").count() == 1
    assert page.locator("#counts details").count() == 0
    text = page.locator("table.counts").inner_text()
    assert "nouns" in text
    assert "scores" in text


def test_dark_and_light_differ_and_both_can_be_read(visit: Callable[..., Visit]) -> None:
    contrasts, backgrounds = [], set()
    for colours in ("light", "dark"):
        seen = visit(width=1280, colours=colours)
        for selector in ("h1", ".lead", "table.scores td", ".probability", ".file", "button[aria-pressed=true]"):
            contrasts.append((colours, selector, seen.page.locator(selector).first.evaluate(chromium.CONTRAST)))
        backgrounds.add(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2
    assert [one for one in contrasts if one[2] < 4.5] == []  # WCAG AA


def test_runs_are_compared_on_the_page(visit: Callable[..., Visit], report_results: tuple[Path, list[str]]) -> None:
    page = visit(width=1280).page
    scores = read_document(Scores, report_results[0] / "scores.json", "scores")
    (one,) = scores.comparisons
    assert page.locator(".matrix td.none, .matrix td.better, .matrix td.worse").count() == 2
    assert f"{100 * one.difference[0][1]:+.1f}".replace("-", "−") in page.locator(".matrix").inner_text()


def test_calibration_is_drawn_and_too_few_kinds_are_not(visit: Callable[..., Visit]) -> None:
    page = visit(width=1280).page
    assert page.locator("#kinds").count() == 0  # two labelled images are too few to draw
    assert page.locator("#calibration svg").count() >= 2


def test_the_digests_of_every_row_are_on_the_page(
    visit: Callable[..., Visit], report_results: tuple[Path, list[str]]
) -> None:
    text = visit(width=1280).page.locator("#provenance").inner_text()
    for row in read_document(Scores, report_results[0] / "scores.json", "scores").rows:
        assert row.split in text
        assert row.class_list in text


def test_every_picture_and_chart_has_words(visit: Callable[..., Visit]) -> None:
    page = visit(width=1280).page
    alts = page.eval_on_selector_all("img", "images => images.map(image => image.alt)")
    assert "Image labelled dog" in alts
    assert all(alts)
    labels = page.eval_on_selector_all(
        "svg[role=img]", "charts => charts.map(chart => chart.getAttribute('aria-label'))"
    )
    assert any(label.startswith("Loss of tiny: trained on from 5 to") for label in labels)


def test_every_table_has_headings_and_every_link_a_target(visit: Callable[..., Visit]) -> None:
    page = visit(width=1280).page
    assert page.locator("table:not(:has(th[scope=col]))").count() == 0
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    targets = page.eval_on_selector_all("a[href^='#']", "all => all.map(one => one.getAttribute('href').slice(1))")
    assert set(targets) <= set(ids)
