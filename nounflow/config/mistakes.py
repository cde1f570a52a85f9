"""What is wrong in a config, in words: the key, what was found, what is allowed."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from nounflow.config.base import Settings

_RENAMED = {  # keys of the first release -> what they are called now
    "latin_share": "min_latin_share",
    "least_calibrated": "min_calibrated",
    "least_votes": "min_votes",
    "longest": "max_words",
    "longest_characters": "max_characters",
    "longest_output_tokens": "max_retry_tokens",
    "longest_side": "max_side",
    "longest_wait_s": "max_wait_s",
    "most_bytes": "max_bytes",
    "most_queued_tokens": "max_queued_tokens",
    "most_requests": "max_requests",
    "most_under_way": "max_open_batches",
    "most_votes": "max_votes",
    "shortest": "min_words",
}


def explain(mistakes: Iterable[Mapping[str, Any]], config: type[Settings]) -> list[str]:
    """A line for each mistake that pydantic found in the whole config: the key, what was found, what is allowed.

    Of a value that may be one of several things, pydantic finds one for each of these: they are told as one.
    """
    lines: dict[str, list[str]] = {}
    for mistake in mistakes:
        found, _, allowed = _line(mistake, config).partition(", input should be ")
        lines.setdefault(found, []).extend(filter(None, [allowed]))
    return [", input should be ".join(filter(None, [found, ", or ".join(allowed)])) for found, allowed in lines.items()]


def _line(mistake: Mapping[str, Any], config: type[Settings]) -> str:
    location, model, kind = _place(mistake["loc"][:-1], config)
    found = str(mistake["loc"][-1]) if mistake["loc"] else ""
    last = "" if found == "[key]" or _choices(model) else found  # pydantic's names, not keys
    key = ".".join(filter(None, (*location, last)))
    if mistake["type"] == "extra_forbidden":
        allowed = sorted(model.model_fields)
        if (renamed := _RENAMED.get(found)) in allowed:
            return f"{key}: is called {renamed} now"
        close = difflib.get_close_matches(found, allowed, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        return f"{key}: unknown key{kind}{hint}; allowed: {', '.join(allowed)}"
    if mistake["type"].startswith("union_tag"):  # pydantic writes names in quotes
        said = {name: str(value).replace("'", "") for name, value in mistake["ctx"].items()}
        key = f"{key}.{said['discriminator']}"
        if mistake["type"] == "union_tag_not_found":
            return f"{key}: missing"
        return f"{key}: found {mistake['ctx']['tag']!r}, allowed: {said['expected_tags']}"
    if mistake["type"] == "value_error":
        return f"{key}: {mistake['ctx']['error']}" if key else str(mistake["ctx"]["error"])
    if mistake["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: found {mistake['input']!r}, {mistake['msg'][0].lower()}{mistake['msg'][1:]}"


def _place(location: tuple[Any, ...], config: type[Settings]) -> tuple[list[str], Any, str]:
    """Where a mistake is: its keys, the settings that they lead to, and of which kind these are, in words.

    Where a value may be one of several things (kinds of runs, a number or a word), the location names which, too.
    """
    current: Any = config
    keys: list[str] = []
    kind = ""
    for part in location:
        if isinstance(current, type) and issubclass(current, Settings):
            current = current.model_fields[part].annotation
        elif choices := _choices(current):
            found = {tag: (model, name) for model in choices for tag, name in _tags(model)}
            current, name = found.get(part, (None, ""))
            kind = f" of {name} {part}"
            continue
        else:  # a dict of named parts
            current = get_args(current)[1] if get_args(current) else current
        keys.append(str(part))
        kind = ""
        while get_origin(current) is Annotated:
            current = get_args(current)[0]
        choices = tuple(choice for choice in _choices(current) if choice is not NoneType)
        if len(choices) == 1:  # a part that may be left out
            (current,) = choices
    return keys, current, kind


def _choices(annotation: Any) -> tuple[Any, ...]:
    """What a union is of; nothing for other types."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()


def _tags(model: Any) -> Iterator[tuple[str, str]]:
    """What a kind of a part is called, and under which key."""
    for name in ("predictor", "kind"):
        if name in getattr(model, "model_fields", {}):
            yield from ((tag, name) for tag in get_args(model.model_fields[name].annotation))
