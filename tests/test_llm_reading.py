"""Finding the JSON in what a model says."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nounflow.llm.reading import find_json

GOOD = {"words": ["a", "b, }", "<b>"]}
WRITTEN = json.dumps(GOOD)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def has_words(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("words"), list)


@pytest.mark.parametrize(
    "text",
    [
        WRITTEN,
        f"Sure! Here they are:\n{WRITTEN}\nAnything else?",
        f"```json\n{WRITTEN}\n```",
        f"```\n{WRITTEN}\n```\nI left {{out}} nothing [1].",
        f'<think>\nThey want {{"words": [...]}} with words.\n</think>\n\n```json\n{WRITTEN}\n```',
        f'<THINKING>perhaps {{"words": []}}</THINKING>{WRITTEN}',
        f'<think>{{"words": []}}</think>{WRITTEN}<think>or {{"words": ["c"]}}?</think>',
        f'They want {{"words": [1]}}, so I answer.</think>{WRITTEN}',
        f'[THINK]{{"words": []}}[/THINK]{WRITTEN}',
        f"I write {{a, b}} as [a, b]: {WRITTEN}",
        f'{{"thoughts": "none"}}\n{WRITTEN}',
        f"[{WRITTEN}]",
        json.dumps({"answer": {"result": [1, {"list": GOOD}]}}),
        '{"words": ["a", "b, }", "<b>",],}',
        '{"words": [\n"a",\n"b, }",\n"<b>" ,\n]\n,\n}',
    ],
)
def test_the_value_is_found_wherever_it_stands(text: str) -> None:
    assert find_json(text, has_words) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "", "none", "[1]", '{"word": []}', '{"words": ["a"', '{"words": NaN}', '{"words": [Infinity]}',
        '{"words": [-Infinity]}', '{"words": [1e999]}', f"<think>{WRITTEN}</think>",
        f"<think>perhaps {WRITTEN}", '{"words": ["a" "b"]}', "[" * 100_000,
    ],
)  # fmt: skip
def test_where_there_is_none_it_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON of the form"):
        find_json(text, has_words)


def test_of_two_the_first_is_taken_and_of_one_within_another_the_outer() -> None:
    assert find_json('{"words": [1]} or {"words": [2]}', has_words) == {"words": [1]}
    assert find_json('{"words": [{"words": [2]}]}', has_words) == {"words": [{"words": [2]}]}


@given(values)
def test_any_json_is_read_as_it_is(value: object) -> None:
    assert find_json(json.dumps([value]), lambda found: True) == [value]


@given(st.text(alphabet='{}[]",:\\ 1aN</think>\n'))
def test_no_text_brings_another_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert has_words(find_json(text, has_words))


def test_a_model_that_repeats_itself_costs_little_time() -> None:
    begin = time.monotonic()
    for piece in ('{"a":', "{", "[1,", "<think>", ",]", '"'):
        with pytest.raises(ValueError, match="no JSON"):
            find_json(piece * 20_000, has_words)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"singular": ["a cat sits.", "a cat sle', ["a cat sits."]),
        ('```json\n{"singular": ["one, two.", "three."], "plural": ["fo', ["one, two.", "three."]),
        ('Sure: {"singular": ["a \\"big\\" cat.", "x', ['a "big" cat.']),
    ],
)
def test_of_an_answer_that_is_cut_off_what_is_whole_stays(text: str, found: list[str]) -> None:
    assert find_json(text, lambda value: isinstance(value, dict))["singular"] == found


@pytest.mark.parametrize("text", ["", "[", '{"a": "b', "[" * 100_000, '{"a": [' * 50_000])
def test_of_an_answer_of_which_nothing_is_whole_there_is_nothing_and_soon(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        find_json(text, lambda value: isinstance(value, dict) and bool(value))


@pytest.mark.parametrize(
    ("escape", "read"), [("\\ud83d\\ude00", "\U0001f600"), ("\\ud83d", "\ufffd"), ("\\ude00!", "\ufffd!")]
)
def test_half_an_emoji_is_mended(escape: str, read: str) -> None:
    assert find_json(f'{{"text": "{escape}"}}', lambda value: isinstance(value, dict)) == {"text": read}
