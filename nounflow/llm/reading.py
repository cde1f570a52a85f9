"""JSON in a model's words: behind its thoughts, in a fence, between other words, within other JSON."""

import json
import math
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from nounflow.escaping import mended

_TAG = r"(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning)"
_THOUGHTS = re.compile(rf"<({_TAG})>.*?(?:</\1>|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z)", re.DOTALL | re.IGNORECASE)
# Where the prompt ends in the opening tag, the answer has the closing one alone.
_THOUGHTS_BEFORE = re.compile(rf"\A.*(?:</{_TAG}>|\[/THINK\])", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_CUT_OFF_TRIED, _DEEPEST = 20, 50  # opening brackets, and levels, of an answer that is cut off
_COMMA_TOO_MANY = re.compile(r",\s*[}\]]")


def find_json(text: str, fits: Callable[[Any], bool]) -> Any:
    """The first JSON object or list in an answer that fits; of one within another the outer.

    What stands in thoughts (`<think>`) is left out. A comma before a closing bracket is passed over; NaN and infinite
    numbers are no JSON.

    Raises:
        ValueError: there is none.
    """
    text = _THOUGHTS_BEFORE.sub("", _THOUGHTS.sub("", text))
    for read, most in ((_value_at, len(text)), (_cut_off_value_at, _CUT_OFF_TRIED)):
        if (found := _first(text, fits, read, most)) is not None:
            return _written(found)
    raise ValueError("no JSON of the form that was asked for")


def _first(
    text: str, fits: Callable[[Any], bool], read: Callable[[str, int], tuple[Any, int]], most: int
) -> Any | None:
    """The first value that fits, of `most` opening brackets."""
    at = tried = 0
    while tried < most and (opening := _OPENING.search(text, at)) is not None:
        tried += 1
        try:
            value, at = read(text, opening.start())
        except RecursionError:
            break  # a model that writes brackets for ever
        except ValueError:
            at = opening.end()
            continue
        for part in _parts(value):
            if fits(part):
                return part
    return None


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


def _cut_off_value_at(text: str, start: int) -> tuple[Any, int]:
    """What is whole of a value that the end of the text cuts off: up to the last element that another one follows."""
    closing, in_string, at = "", False, start
    whole: tuple[int, str] | None = None  # end of what is whole, and what closes it
    while at < len(text):
        sign = text[at]
        if in_string:
            at += sign == "\\"  # passes over what is escaped
            in_string = sign != '"'
        elif sign == '"':
            in_string = True
        elif sign in "{[":
            if len(closing) == _DEEPEST:
                raise ValueError("nested too deep")
            closing = ("}" if sign == "{" else "]") + closing
        elif sign in "}]" and closing:
            closing = closing[1:]
            whole = (at + 1, closing)
        elif sign == ",":
            whole = (at, closing)
        at += 1
        if not closing:
            break
    if whole is None or not closing:
        raise ValueError("nothing is cut off, or nothing of it is whole")
    return _value_at(text[: whole[0]] + whole[1], start)[0], len(text)


def _written(value: Any) -> Any:
    """The value with texts that can be written: an escape may be half an emoji."""
    match value:
        case str():
            return mended(value)
        case list():
            return [_written(part) for part in value]
        case dict():
            return {mended(key): _written(part) for key, part in value.items()}
    return value


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
