"""A JSON list read one value at a time, so that a large file needs little memory."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ijson

from nounflow.errors import NounflowError

_MARK = b"\xef\xbb\xbf"  # before UTF-8 text that Windows wrote

_DEEPEST = 100  # brackets within each other; thousands would fill the memory with their places


def read_json_list(path: Path, what: str) -> Iterator[Any]:
    """The values of a JSON list; `what` names the file's role in messages.

    Raises:
        NounflowError: no such file, no JSON, or no list; what stands before a mistake has been given out by then.
    """
    number = 0
    try:
        with open(path, "rb") as file:
            file.seek(len(_MARK) if file.read(len(_MARK)) == _MARK else 0)
            events = ijson.parse(_shallow(ijson.basic_parse(file, use_float=True)))
            first = next(events)
            if first[1] != "start_array":
                for _ in events:  # no JSON at all is another mistake
                    pass
                raise NounflowError(f"A JSON list is expected in the {what}", where=path)
            for value in ijson.items(itertools.chain([first], events), "item"):
                yield value
                number += 1
    except FileNotFoundError:
        raise NounflowError(f"There is no {what}", where=path, fix="check its path") from None
    except IsADirectoryError:
        raise NounflowError(f"The {what} is a folder", where=path, fix="name the file in it") from None
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise NounflowError(
            f"The {what} is not readable JSON ({str(error).splitlines()[0]})",
            where=f"{path}, entry {number}",
            fix="download or write it again",
        ) from error


def _shallow(events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    depth = 0
    for event in events:
        depth += event[0].startswith("start_") - event[0].startswith("end_")
        if depth > _DEEPEST:
            raise ijson.JSONError("nested too deep")
        yield event
