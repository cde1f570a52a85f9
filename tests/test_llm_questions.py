"""What a language model is asked about a picture, and how its answer is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from judge_server import colour_of
from llm_judging import NEAR, RIGHT, WRONG, settings
from PIL import Image

from nounflow.annotation.plan import Ask, Task
from nounflow.annotation.questions import NounGroup, groups_of, picture_url, read_answer, request_of
from nounflow.config.annotators import OpenAIAnnotatorConfig
from nounflow.files import sha256_file
from nounflow.llm.prices import prompt_tokens_bound, prompt_tokens_estimate
from nounflow.schemas.decisions import place_of


def task(*nouns: str) -> Task:
    return Task("ab" * 32, ("a.png",), tuple(Ask(noun, 1.0, False) for noun in nouns))


def test_nouns_are_asked_about_in_groups_of_like_size_and_each_word_once() -> None:
    nouns = [f"noun {i}" for i in range(25)] + ["Noun 3", "noun-7"]
    groups = groups_of(task(*nouns), nouns, 12)
    assert sorted(len(group.nouns) for group in groups) == [8, 8, 9]
    assert len({noun.lower().replace("-", " ") for group in groups for noun in group.nouns}) == 25
    assert groups == groups_of(task(*nouns), list(reversed(nouns)), 12)


def test_each_vote_has_an_order_of_its_own_that_the_seed_fixes() -> None:
    one, other = (OpenAIAnnotatorConfig.model_validate(settings(seed=seed)) for seed in (1, 2))
    (group,) = groups_of(task(*"abcdefgh"), "abcdefgh", 12)
    orders = [request_of(group, "data:,x", attempt, one).messages[1]["content"][1]["text"] for attempt in range(5)]
    assert len(set(orders)) == 5
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert orders[0] == request_of(group, "data:,x", 0, one).messages[1]["content"][1]["text"]
    assert orders[0] != request_of(group, "data:,x", 0, other).messages[1]["content"][1]["text"]


def test_a_picture_costs_its_tokens_and_not_its_bytes() -> None:
    one = OpenAIAnnotatorConfig.model_validate(settings(image_tokens=700))
    (group,) = groups_of(task("a"), "a", 12)
    small, large = (request_of(group, f"data:,{'x' * n}", 0, one) for n in (10, 100_000))
    assert prompt_tokens_bound(small) == prompt_tokens_bound(large) > 700 + len(str(small.messages[0]))
    assert 700 < prompt_tokens_estimate(small) == prompt_tokens_estimate(large) < prompt_tokens_bound(small)


def test_answers_are_read_noun_by_noun() -> None:
    text = json.dumps(
        {
            "description": "A dog.",
            "judgements": [
                {"noun": "Dog", "category": RIGHT}, {"noun": "cat", "category": WRONG},
                {"noun": "cat", "category": RIGHT}, {"noun": "cow", "category": "maybe"},
                {"noun": "horse", "category": WRONG}, {"noun": '"x-ray"', "category": NEAR}, "pig",
            ],
        }
    )  # fmt: skip
    reading = read_answer(f"```json\n{text}\n```", ["dog", "cat", "cow", "x ray", "pig"])
    assert reading == ("A dog.", {"dog": RIGHT, "x ray": NEAR})
    for nonsense in ("", "[1]", '{"judgements": 1}', '{"description": "half'):
        with pytest.raises(ValueError, match="no JSON"):
            read_answer(nonsense, ["dog"])


def test_a_picture_is_sent_upright_small_and_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (400, 100), (0, 0, 0, 0)).save(tmp_path / "wide.png")
    _, image = colour_of(picture_url(tmp_path, NounGroup(sha256_file(tmp_path / "wide.png"), "wide.png", ()), 128))
    assert image.size == (128, 32)
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_of_a_box_the_framed_picture_is_sent_and_the_question_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "white").save(tmp_path / "a.png")
    whole = NounGroup(sha256_file(tmp_path / "a.png"), "a.png", ("dog",))
    boxed = whole._replace(image=place_of(whole.image, (100, 100, 200, 200)))
    _, image = colour_of(picture_url(tmp_path, boxed, 400))
    pixels = np.asarray(image)
    red, green, _ = pixels[150, 98].tolist()
    assert red > green + 100
    assert pixels[150, 110].min() > 200  # what is inside stays as it is
    usual = OpenAIAnnotatorConfig.model_validate(settings())
    asked = [request_of(group, "data:", 0, usual).messages[0]["content"] for group in (whole, boxed)]
    assert ["red frame" in words for words in asked] == [False, True]
