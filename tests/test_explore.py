"""Looking at results: what is chosen, page by page, the server, and the page in a browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import chromium
import numpy as np
import polars as pl
import pytest
import uvicorn
from annotation_site import draw
from fastapi.testclient import TestClient
from synthetic_results import annotations_of, predictions

from nounflow.schemas.labels import Labels
from nounflow.scoring.answers import judgements
from nounflow.web.exploring.answers import Wanted, answer_table, chosen, confusions, page, plane
from nounflow.web.exploring.app import exploring_app

SAID = {"a": {"1.png": ["dog", "cat"], "2.png": ["cat"], "3.png": ["sheep"]}, "b": {"1.png": ["dog"], "2.png": ["dog"]}}
JUDGED = judgements(
    annotations_of(
        {
            "1.png": {"correct_primary": ["dog"], "incorrect": ["cat"]},
            "2.png": {"correct_primary": ["dog"], "incorrect": ["cat"]},
        }
    )
)
LABELS = {"1.png": Labels(gold="dog"), "2.png": Labels(gold="dog")}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    documents = [predictions(run, said) for run, said in SAID.items()]
    return answer_table(documents, JUDGED, LABELS, {"dog": "animal", "sheep": "animal"})


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        (Wanted("a"), ["1.png", "2.png", "3.png"]),
        (Wanted("a", verdict="wrong"), ["2.png"]),
        (Wanted("a", verdict="unjudged"), ["3.png"]),
        (Wanted("a", noun="dog"), ["1.png"]),
        (Wanted("a", gold="dog"), ["1.png", "2.png"]),
        (Wanted("a", kind="animal"), ["1.png", "2.png", "3.png"]),  # of the label, else of the first noun
        (Wanted("a", search=" CAT "), ["1.png", "2.png"]),
        (Wanted("a", search=".*"), []),  # text, no pattern
        (Wanted("a", other="b", differ=True), ["2.png"]),
        (Wanted("a", high=0.0), []),
        (Wanted("no such run"), []),
    ],
)
def test_filters(table: pl.DataFrame, wanted: Wanted, files: list[str]) -> None:
    assert chosen(table, wanted)["file"].to_list() == files


def test_pages_hold_both_runs_and_the_order_is_kept(table: pl.DataFrame) -> None:
    first = page(table, Wanted("a", other="b"), 0, 2)
    assert first["total"] == 3
    assert [[said["run"] for said in row["said"]] for row in first["rows"]] == [["a", "b"], ["a", "b"]]
    assert first["rows"][0]["said"][0]["guesses"][1]["verdict"] == "wrong"
    assert [row["file"] for row in page(table, Wanted("a", other="b"), 1, 2)["rows"]] == ["3.png"]
    by_name, surest = (chosen(table, Wanted("a", order=order)) for order in ("least sure", "surest"))
    assert by_name["probability"].is_sorted()
    assert surest["probability"].is_sorted(descending=True)


def test_confusions_count_labels_and_wrong_first_nouns(table: pl.DataFrame) -> None:
    assert confusions(table, Wanted("a")) == [{"gold": "dog", "noun": "cat", "images": 1}]


def test_the_map_keeps_neighbours_together() -> None:
    rng = np.random.default_rng(1)
    groups = np.concatenate([rng.normal(centre, 0.01, (20, 8)) for centre in (0, 1)])
    places = plane(groups / np.linalg.norm(groups, axis=1, keepdims=True) + groups)
    assert np.abs(places).max() == pytest.approx(1)
    assert np.linalg.norm(places[:20].mean(0) - places[20:].mean(0)) > 5 * places[:20].std(0).max()
    assert plane(np.ones((1, 1))).shape == (1, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in (1, 2, 3):
        draw(folder / f"{number}.png", number)
    (folder / "3.png").write_text("no image")
    return folder


def test_the_server_answers_pages_and_pictures_by_number_only(table: pl.DataFrame, folder: Path) -> None:
    client = TestClient(exploring_app(table, folder, "photos", "wordnet"))
    assert client.get("/api/session").json()["runs"] == ["a", "b"]
    assert client.get("/api/page", params={"run": "a", "verdict": "right"}).json()["total"] == 1
    assert client.get("/pictures/0").headers["content-type"] == "image/jpeg"
    assert client.get("/pictures/2").status_code == 410
    for path in ("/pictures/99", "/pictures/0?size=huge", "/api/map", "/../1.png"):
        assert client.get(path).status_code == 404
    for number in (-1, 10**30):
        assert client.get("/api/page", params={"number": number}).status_code == 422
    assert client.get("/api/page", params={"search": "a" * 200}).status_code == 200
    assert client.get("/api/page", params={"search": "a" * 201}).status_code == 422


@pytest.fixture(scope="module")
def address(table: pl.DataFrame, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = exploring_app(table, folder, "photos", "wordnet", np.array([[0.0, 0.5], [-1, 0], [np.nan, np.nan]]))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server.should_exit = True
        thread.join(10)


@pytest.mark.skipif(chromium.find() is None, reason=chromium.REASON)
def test_the_page_filters_compares_and_draws(address: str) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        tab = browser.new_page()
        wrong: list[str] = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.goto(f"{address}?run=a&other=b")
        expect(tab.locator("#total")).to_have_text("3 images")
        tab.get_by_label("verdicts differ").check()
        expect(tab.locator("#gallery li")).to_have_count(1)
        expect(tab.locator("#gallery li")).to_contain_text("2.png")
        tab.get_by_role("button", name="Show all").click()
        tab.get_by_role("button", name="Confusions").click()
        tab.locator("#confusions").get_by_role("button", name="dog").click()
        expect(tab.locator("#gallery li")).to_have_count(1)
        assert "gold=dog" in tab.url
        tab.locator("#gallery img").click()
        expect(tab.locator("#large p")).to_contain_text("label: dog")
        tab.locator("#large button").click()
        tab.get_by_role("button", name="Show all").click()
        tab.get_by_role("button", name="Map").click()
        expect(tab.locator("#total")).to_have_text("2 images on the map")
        browser.close()
    assert not wrong
