"""The demo's page in a real browser that reaches no other machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import chromium
import pytest
from PIL import Image
from random_model import random_model


@pytest.mark.browser
def test_a_picture_that_is_dropped_is_named_by_each_model_and_no_other_machine_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    pytest.importorskip("gradio")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (path := chromium.find()):
        pytest.skip(chromium.REASON)
    from nounflow import NounClassifier
    from nounflow.serving.demo import SEVERAL, demo_page, draw_examples, start

    classifiers = {kind: NounClassifier.load(random_model(tmp_path / kind, kind)) for kind in ("decoder", "head")}
    examples = draw_examples(tmp_path / "examples")
    asked: list[str] = []
    called: list[str] = []
    tagged: list[object] = []
    tags = classifiers["head"].tags

    def counted(*asked: Any, **options: Any) -> Any:
        tagged.append(asked)
        return tags(*asked, **options)

    classifiers["head"].tags = counted  # type: ignore[method-assign]
    connect = socket.socket.connect

    def watched(self: socket.socket, target: Any) -> None:
        called.append(str(target[0]))
        connect(self, target)

    monkeypatch.setattr(socket.socket, "connect", watched)
    page = demo_page(classifiers, examples, 0.5)
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    blocks: list[Any] = list(page.blocks.values())
    (picture,) = (block for block in blocks if getattr(block, "elem_id", "") == "picture")
    given = picture.preprocess(picture.data_model(path=str(tmp_path / "clear.png"), orig_name="clear.png"))
    assert given == str(tmp_path / "clear.png")  # as every other way in reads it: what is transparent is white
    address = start(page, "127.0.0.1", 0, examples, block=False)
    try:
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            visit = browser.new_page(viewport={"width": 1200, "height": 760})
            visit.on("request", lambda request: asked.append(request.url))
            visit.goto(address)
            visit.set_input_files("#picture input[type=file]", examples[2], timeout=60_000)
            for number, classifier in enumerate(classifiers.values()):
                expected = classifier(examples[2], top_k=5)
                visit.locator(f"#bars{number} >> text={expected.nouns[0]}").first.wait_for(timeout=60_000)
                visit.locator(f"#words{number} >> text=Nearest nouns").wait_for(timeout=60_000)
            visit.locator("#mode").get_by_label(SEVERAL).check()
            for number, classifier in enumerate(classifiers.values()):
                best = classifier.tags(examples[2])[0].nouns[0]
                visit.locator(f"#words{number} >> text={best.noun}").first.wait_for(timeout=60_000)
                visit.locator(f"#drawn{number} img").wait_for(timeout=60_000)
            visit.fill("#list textarea, #list input", "teapot, owl")
            visit.locator("#list textarea, #list input").press("Enter")
            best = classifier.tags(examples[2], ["teapot", "owl"])[0].nouns[0]
            visit.locator(f"#words1 >> text=/{best.noun} {best.score:.2f}/").wait_for(timeout=60_000)
            before = len(tagged)
            with visit.expect_request("**/queue/join*"):
                visit.locator("h1").click()  # leaves the list, which was answered with already
            visit.wait_for_timeout(700)
            assert len(tagged) == before > 0
            if shot := os.environ.get("NOUNFLOW_DEMO_SCREENSHOT"):
                visit.wait_for_timeout(500)
                visit.screenshot(path=shot)
            browser.close()
    finally:
        page.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert set(called) <= {"127.0.0.1", "::1", "localhost"}
