"""The report's gallery: which images are chosen, what stands on a card, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from report_material import call, draw_image, write_results
from synthetic_results import NOUNS, predictions

from nounflow.report.gallery import Card, Guess, Said, cards, choose, picture
from nounflow.report.words import monotonous
from nounflow.schemas.documents import write_document
from nounflow.schemas.inputs import InputManifest
from nounflow.schemas.labels import Labels


def card(file: str, *verdicts: Literal["right", "close", "wrong", "unjudged"]) -> Card:
    said = tuple(Said(f"r{i}", "decoder", (Guess("dog", 0.5, verdict, ""),)) for i, verdict in enumerate(verdicts))
    return Card("photos", file, None, said)


def test_the_gallery_mixes_disagreement_right_and_wrong_and_never_changes() -> None:
    many = [card(f"w{i}", "wrong", "wrong") for i in range(500)]
    some = [card(f"r{i}", "right", "right") for i in range(30)]
    some += [card(f"d{i}", "right", "wrong") for i in range(30)]
    chosen = choose(many + some, 24)
    assert len(chosen) == 24
    assert sum(one.disagree for one in chosen) == 12
    assert sum(one.said[0].verdict == "right" and not one.disagree for one in chosen) == 6
    assert choose((many + some)[::-1], 24) == chosen
    assert len(choose(some, 1000)) == 60


def test_the_gallery_gives_each_image_set_a_share() -> None:
    big = [card(f"{i}", "wrong") for i in range(100)]
    small = [Card("other", f"{i}", None, big[0].said) for i in range(3)]
    chosen = choose(big + small, 10)
    assert sum(one.image_set == "other" for one in chosen) == 3


def test_a_card_holds_the_first_three_nouns_with_their_verdicts() -> None:
    document = predictions("a", {"1.png": ["dog", "cat", "mouse", "apple"]})
    judged = {"photos": {"1.png": {"dog": "correct_secondary", "cat": "close_primary"}}}
    (one,) = cards([document], judged, {"photos": {"1.png": Labels(gold="dog")}})
    assert [guess.verdict for guess in one.said[0].guesses] == ["right", "close", "unjudged"]
    assert one.said[0].guesses[0].probability == 0.5
    assert one.labels is not None
    assert one.labels.gold == "dog"


def test_a_picture_is_a_small_jpeg(tmp_path: Path) -> None:
    draw_image(tmp_path / "big.png", 1)
    small = picture(tmp_path, "big.png")
    assert small.uri.startswith("data:image/jpeg;base64,/9j/")
    assert (small.width, small.height) == (360, 270)
    assert len(small.uri) < 20_000


def test_an_image_that_vanished_is_counted_out_of_the_gallery(tmp_path: Path) -> None:
    arguments = write_results(tmp_path)
    (tmp_path / "images" / "cat.png").unlink()
    done = call("report.py", arguments)
    assert "not in the gallery: cat.png: the file does not exist" in done.stdout
    (flow,) = json.loads((tmp_path / "report.counts.json").read_text())["flows"]
    assert (flow["in"], flow["out"]) == (5, 4)


def test_a_fetched_image_set_is_found_through_its_manifest(
    report_results: tuple[Path, list[str]], tmp_path: Path
) -> None:
    arguments = write_results(tmp_path)
    fetched = InputManifest(
        name="photos", source="a package", version="1", licence="GPL-2", folder="images", files={}, megabytes=0.0
    )
    write_document(tmp_path / "manifest.json", fetched)
    where = arguments.index("--image-folders") + 1
    arguments[where] = json.dumps({"photos": str(tmp_path / "manifest.json")})
    call("report.py", arguments)
    assert (tmp_path / "report.html").read_bytes() == (report_results[0] / "report.html").read_bytes()


@pytest.mark.parametrize(("alike", "warned"), [(20, True), (9, False)])
def test_a_run_that_says_one_noun_of_nearly_all_images_is_warned_of(alike: int, warned: bool) -> None:
    said = {f"{i}.png": ["dog" if i < alike else NOUNS[i % 7 + 1]] for i in range(20)}
    warnings = monotonous([predictions("a", said)])
    assert bool(warnings) == warned
    assert not warned or "dog" in warnings[0]
    assert monotonous([predictions("a", dict(list(said.items())[:5]))]) == []
