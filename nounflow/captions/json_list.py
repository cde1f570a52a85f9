"""A JSON list read one value at a time, so that a large file needs little memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from nounflow.errors import NounflowError

_CHUNK = 1 << 20  # characters
_LONGEST = 64 << 20  # characters in which a value must end
_SPACE = re.compile(r"[ \t\r\n]*")
_BEHIND = frozenset(",]} \t\r\n")


def read_json_list(path: Path, what: str) -> Iterator[Any]:
    """The values of a JSON list; `what` names the file's role in messages.

    Raises:
        NounflowError: no such file, no JSON, or no list; what stands before a mistake has been given out by then.
    """
    number = 0
    try:
        with open(path, encoding="utf-8-sig") as file:
            for value in _values(_Text(file)):
                yield value
                number += 1
    except FileNotFoundError:
        raise NounflowError(f"There is no {what}", where=path, fix="check its path") from None
    except IsADirectoryError:
        raise NounflowError(f"The {what} is a folder", where=path, fix="name the file in it") from None
    except _NoListError:
        raise NounflowError(f"A JSON list is expected in the {what}", where=path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else f"not UTF-8, {error.reason}"
        raise NounflowError(
            f"The {what} is not readable JSON ({reason})",
            where=f"{path}, entry {number}",
            fix="download or write it again",
        ) from error


class _NoListError(Exception):
    """Another JSON value than a list."""


class _Text:
    """The part of a file that is not yet read as JSON."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0
        self._decoder = json.JSONDecoder()

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Pass over a character that must come next."""
        if self.next() != character:
            raise json.JSONDecodeError(f"Expecting '{character}'", self._text, self._at)
        self._at += 1

    def value(self) -> Any:
        """The JSON value that comes next."""
        self.next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > _LONGEST or not self._more():
                    raise
                continue
            cut_off = self._text[end : end + 1] not in _BEHIND  # a number may go on
            if cut_off and len(self._text) - self._at < _LONGEST and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        read = self._file.read(_CHUNK)
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(read)


def _values(text: _Text) -> Iterator[Any]:
    if text.next() not in ("[", ""):
        text.value()  # no JSON at all is another mistake
        raise _NoListError
    text.take("[")
    separator = ""
    while text.next() != "]":
        if separator:
            text.take(separator)
        separator = ","
        yield text.value()
    text.take("]")
    if text.next():
        raise json.JSONDecodeError("Extra data behind the list", "", 0)
