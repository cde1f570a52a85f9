"""Contradictions in review, categories of a project's own, and phones: the annotation page in a real browser."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from annotation_desk import Desk, decisions
from annotation_site import Server, Site, decision
from decision_records import record
from test_decision_commands import collect
from test_label_schemes import OWN

from nounflow.annotation.agreement import shared_judgements
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.log import DecisionLog, read_records
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.decisions import DecisionDraft
from nounflow.schemas.documents import read_document

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def sit(browser: Browser) -> Iterator[Callable[..., Desk]]:
    contexts = []

    def down(server: Server, annotator: str, **options: Any) -> Desk:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))
        return Desk(contexts[-1], server, annotator)

    yield down
    for context in contexts:
        context.close()


@pytest.fixture
def disputed(tmp_path: Path, wordnet_input: Path) -> Site:
    """ann and bob differ on a dog, and agree on the sofa; cyd contradicts herself on a cup."""
    site = Site(tmp_path, wordnet_input)
    dog, cup = site.image("dog.png"), site.image("cup.png")
    with DecisionLog.open(site.log) as log:
        drafts = [
            decision(dog, "dog", "correct_primary", "ann", file="dog.png"),
            decision(dog, "dog", "incorrect", "bob", evidence="a wolf, I think", file="dog.png"),
            decision(dog, "sofa", "correct_secondary", "ann", file="dog.png"),
            decision(dog, "sofa", "correct_secondary", "bob", file="dog.png"),
        ]
        log.append([DecisionDraft(**one) for one in drafts]).result()
        twice = [record(n, "cup", c, "cyd", cup, time=9) for n, c in enumerate(("close_primary", "correct_primary"))]
        log.add(
            [*twice, record(7, "x", "incorrect", "ann", "f" * 64), record(8, "x", "close_primary", "bob", "f" * 64)]
        )
    return site


def test_a_reviewer_settles_what_is_contradicted_and_then_nothing_is(
    disputed: Site, sit: Callable[..., Desk], tmp_path: Path
) -> None:
    site = disputed
    assert "contradictions: 3" in site.nounflow("decisions", "show", "--configfile", "mine.yaml").stdout
    with site.start("--review") as server:
        assert "left out: 1 contradictions on pictures that are not among these" in server.output
        assert "0 of 2 contradictions reviewed" in server.output
        desk = sit(server, "rae")
        said = desk.page.locator("#said-before li")
        seen = {}
        for key in ("a", "d"):
            noun = desk.noun()
            seen[noun] = (key, sorted(one.split(" ", 1)[1] for one in said.all_inner_texts()))
            assert not {"ann", "bob", "cyd"} & set(desk.page.locator("main").inner_text().split())
            desk.press("m")
            names = {"dog": {"ann", "bob"}, "cup": {"cyd"}}[noun]
            desk.until(lambda: set(desk.page.locator("#said-before b").all_inner_texts()) == names)  # noqa: B023
            desk.press(key)
            desk.until(lambda: desk.noun() != noun or desk.page.locator("#finished").is_visible())  # noqa: B023
        desk.saved()
        assert desk.page.locator("#finished").is_visible()
        assert {noun: words for noun, (_, words) in seen.items()} == {
            "dog": ["correct, main subject", "incorrect: a wolf, I think"],
            "cup": ["close, main subject", "correct, main subject"],
        }
        assert "2 of 2 contradictions reviewed" in server.stop()
        assert desk.complaints == []
    records = read_records(site.log)
    assert [(one.annotator, one.review) for one in decisions(site, "rae")] == [("rae", True)] * 2
    shown = site.nounflow("decisions", "show", "--configfile", "mine.yaml").stdout
    assert "contradictions: 1," in shown  # on the picture that is not here
    assert "rae: 0 pairs judged, 2 reviewed" in shown
    collect(site, tmp_path, {"kind": "people", "log": str(site.log)})
    document = read_document(Annotations, tmp_path / "people.json", "annotations")
    category = {"a": "close_primary", "d": "incorrect"}
    for file, noun in (("dog.png", "dog"), ("cup.png", "cup")):
        assert noun in getattr(document.images[file], category[seen[noun][0]])
    assert len((tmp_path / "people.contradictions.tsv").read_text().splitlines()) == 1  # the heading
    pair = (site.image("dog.png"), "dog")
    assert shared_judgements(CurrentDecisions(records))[pair] == {"ann": "correct_primary", "bob": "incorrect"}
    again = [
        "annotate",
        "one",
        "--review",
        "--no-browser",
        "--configfile",
        "mine.yaml",
        "--wordnet",
        str(site.manifest),
    ]
    assert "nothing is to be reviewed" in site.nounflow(*again).stdout


def test_a_review_that_is_taken_back_is_asked_again(disputed: Site, sit: Callable[..., Desk]) -> None:
    with disputed.start("--review") as server:
        desk = sit(server, "rae")
        noun = desk.noun()
        desk.press("q")
        desk.until(lambda: desk.noun() != noun)
        desk.press("z")
        desk.until(lambda: desk.noun() == noun)
        desk.saved()
        asked = server.get("/api/tasks", annotator="sam", n=9)["tasks"]
        assert noun in {one["noun"] for task in asked for one in task["nouns"]}
        assert server.get("/api/session", annotator="rae")["progress"]["judged"] == 0


def test_only_members_review_and_names_are_for_reviewers_alone(disputed: Site, sit: Callable[..., Desk]) -> None:
    disputed.configure(second_pass=0, members=["ann", "bob", "cyd"])
    with disputed.start("--review") as server:
        assert server.request("GET", "/api/session?annotator=rae").status == 403
        assert server.request("GET", "/api/session?annotator=ann").status == 200
    with disputed.start() as server:
        assert server.request("GET", f"/api/names/{disputed.image('dog.png')}?noun=dog").status == 404
        task = server.get("/api/tasks", annotator="zoe", n=9)
        assert "said" not in str(task)


# --- categories of a project's own ----------------------------------------------------------------------------------


def test_the_page_judges_by_a_scheme_of_the_project_s_own(
    tmp_path: Path, wordnet_input: Path, sit: Callable[..., Desk]
) -> None:
    site = Site(tmp_path, wordnet_input)
    site.configure(second_pass=0, scheme={**OWN, "part": {**OWN["part"], "when": "is a part", "example": "ear"}})
    with site.start() as server:
        desk = sit(server, "ann")
        page = desk.page
        buttons = page.locator(".answers button")
        assert [one.split("\n") for one in buttons.all_inner_texts()] == [
            ["J", "Hit"],
            ["K", "A part of it"],
            ["L", "Miss"],
        ]
        tones = [one.evaluate("b => getComputedStyle(b).borderLeftColor") for one in buttons.all()]
        assert tones == ["rgb(11, 122, 117)", "rgb(122, 77, 11)", "rgb(122, 11, 58)"]
        desk.press("?")
        rows = page.locator("#guideline tr").all_inner_texts()
        assert len(rows) == 3
        assert "is a part" in rows[1]
        assert "sofa" not in page.locator("#help").inner_text()
        desk.press("Escape")
        for key in ("q", "j", "2", "e"):
            desk.press(key)
        desk.saved()
        assert [(one.category, one.label) for one in decisions(site, "ann")] == [
            ("correct_primary", "hit"),
            ("close_primary", "part"),
            ("unsure", ""),
        ]
        desk.press("z", "z", "z")
        desk.until(lambda: desk.states().count("open") == len(desk.states()))
        desk.press("x")
        desk.until(lambda: "hit" in desk.states())
        desk.saved()
        desk.open(server)
        assert "1 by you" in page.locator("#progress").inner_text()
        assert desk.complaints == []


# --- phones ---------------------------------------------------------------------------------------------------------

BOXES = """elements => elements.filter(e => e.checkVisibility()).map(e => {
  const { left, top, right, bottom } = e.getBoundingClientRect();
  return { what: e.id || e.textContent.trim(), left, top, right, bottom };
})"""
NOUNS = ("teapot", "pear", "kettle", "lamp", "jug", "apple", "candlestick")
SEVEN = {"a.png": (list(NOUNS[:4]), list(NOUNS[4:])), "b.png": (["cup"], ["cup"])}


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    beside = one["right"] <= other["left"] + 0.5 or other["right"] <= one["left"] + 0.5
    return beside or one["bottom"] <= other["top"] + 0.5 or other["bottom"] <= one["top"] + 0.5


@pytest.mark.parametrize("height", [844, 700])
def test_on_a_phone_all_is_in_sight_nothing_is_covered_and_targets_are_large(
    tmp_path: Path, wordnet_input: Path, sit: Callable[..., Desk], height: int
) -> None:
    site = Site(tmp_path, wordnet_input, SEVEN)
    with site.start("--top-k", "4") as server:
        desk = sit(server, "ann", viewport={"width": 390, "height": height}, has_touch=True, is_mobile=True)
        page = desk.page
        page.locator("#picture").evaluate("picture => picture.decode()")
        for moment in ("at first", "zoomed", "later"):
            targets = page.locator("button").evaluate_all(BOXES)
            small = [t for t in targets if t["right"] - t["left"] < 44 or t["bottom"] - t["top"] < 44]
            assert small == [], moment
            hidden = [t for t in targets if t["top"] < 0 or t["bottom"] > height or t["left"] < 0 or t["right"] > 390]
            assert hidden == [], moment
            assert page.locator("#nouns button").count() == 7
            assert {one["what"] for one in page.locator("#nouns .word").evaluate_all(BOXES)} == set(NOUNS), moment
            parts = "#place, #unsent, #progress, .stage-buttons, #nouns, #word, .answers, .others, nav"
            boxes = page.locator(f"{parts}, #picture" if moment != "zoomed" else parts).evaluate_all(BOXES)
            assert len(boxes) >= 9
            touching = [(a["what"], b["what"]) for a, b in itertools.combinations(boxes, 2) if not apart(a, b)]
            assert touching == [], moment
            shown = page.locator("#picture").evaluate("p => p.getBoundingClientRect().height")
            assert shown >= 90, moment
            page.get_by_role("button", name="Zoom").tap()
            if moment != "at first":
                page.get_by_role("button", name="Correct main subject").tap()
        page.get_by_role("button", name="Guideline").tap()
        close = page.get_by_role("dialog").get_by_role("button", name="Close").bounding_box()
        assert close
        assert min(close["width"], close["height"]) >= 44
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
