"""JSON in a model's words: behind its thoughts, in a fence, between other words, within other JSON."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable
from typing import Any

_TAG = r"(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning)"
_THOUGHTS = re.compile(rf"<({_TAG})>.*?(?:</\1>|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z)", re.DOTALL | re.IGNORECASE)
# Where the prompt ends in the opening tag, the answer has the closing one alone.
_THOUGHTS_BEFORE = re.compile(rf"\A.*(?:</{_TAG}>|\[/THINK\])", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_COMMA_TOO_MANY = re.compile(r",\s*[}\]]")


def find_json(text: str, fits: Callable[[Any], bool]) -> Any:
    """The first JSON object or list in an answer that fits; of one within another the outer.

    What stands in thoughts (`<think>`) is left out. A comma before a closing bracket is passed over; NaN and infinite
    numbers are no JSON.

    Raises:
        ValueError: there is none.
    """
    text = _THOUGHTS_BEFORE.sub("", _THOUGHTS.sub("", text))
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        try:
            value, at = _value_at(text, opening.start())
        except RecursionError:
            break  # a model that writes brackets for ever
        except ValueError:
            at = opening.end()
            continue
        for part in _parts(value):
            if fits(part):
                return part
    raise ValueError("no JSON of the form that was asked for")


def _value_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start`, and where it ends."""
    while True:
        try:
            return _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            comma = text.rfind(",", start, error.pos + 1)  # the decoder stops at it or behind it, by Python's version
            if comma < 0 or not _COMMA_TOO_MANY.match(text, comma):
                raise
            text = f"{text[:comma]} {text[comma + 1 :]}"


def _parts(value: Any) -> list[Any]:
    """A value and all that it holds, the outer before the inner."""
    found, waiting = [], deque([value])
    while waiting:
        part = waiting.popleft()
        found.append(part)
        waiting.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
    return found


def _finite(number: str) -> float:
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is no finite number")
    return value


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)
