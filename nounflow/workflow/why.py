"""Why something would run: causes first, in words, then what only follows from them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nounflow.workflow.dry_run import DryRun

_PARAMS = re.compile(
    r"Params have changed since last execution: .*?before: (?P<before>.*?) now: (?P<now>.*?)\s*(?:;|$)", flags=re.DOTALL
)
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,]+")
_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")
_FOLLOWS = "Input files updated by another job: "
_FILES_SHOWN = 4


@dataclass(frozen=True)
class Reasons:
    """Jobs with a cause of their own, and those that only follow."""

    causes: tuple[tuple[str, tuple[str, ...]], ...]  # (job, what changed)
    followers: tuple[str, ...]


def reasons(run: DryRun) -> Reasons:
    """Sort the jobs of a dry run."""
    causes: list[tuple[str, tuple[str, ...]]] = []
    followers = []
    for message, reason in run.jobs:
        found = tuple(_causes(reason))
        if found:
            causes.append((message, found))
        else:
            followers.append(message)
    return Reasons(tuple(causes), tuple(followers))


def as_text(found: Reasons) -> str:
    """One screen of it."""
    if not found.causes and not found.followers:
        return "Nothing would run: everything is up to date."
    lines = []
    for job, why in found.causes:
        lines.append(job)
        lines += [f"    {line}" for line in why]
    if found.followers:
        lines += ["", f"From these follow {len(found.followers)} more:"]
        lines += [f"    {job}" for job in found.followers]
    return "\n".join(lines).lstrip("\n")


def _causes(reason: str) -> Iterator[str]:
    changed = _PARAMS.search(reason)
    if changed:
        yield from _changes(_literals(changed["before"]), _literals(changed["now"]))
        reason = reason.replace(changed[0], "")
    for part in filter(None, (part.strip() for part in reason.split("; "))):
        if part.startswith(_FOLLOWS):
            continue
        head, colon, files = part.partition(": ")
        yield f"{head.lower()}{colon}{_some(files.split(', '))}" if colon else head.lower()


def _some(files: Sequence[str]) -> str:
    more = len(files) - _FILES_SHOWN
    return ", ".join(files[:_FILES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _literals(text: str) -> list[Any]:
    values = []
    for literal in _LITERAL.findall(text):
        try:
            value = ast.literal_eval(literal)
        except (ValueError, SyntaxError):
            value = literal
        values.append(value)
    return values


def _changes(before: Sequence[Any], now: Sequence[Any]) -> Iterator[str]:
    """What differs between two lists of params, settings key by key."""
    if len(before) != len(now):
        yield "its parameters have changed"
        return
    for old, new in zip(before, now, strict=True):
        if _is_fingerprint(old) and _is_fingerprint(new):
            yield "its code has changed (or that of a module it imports)"
            continue
        old_keys, new_keys = dict(_flat(_parsed(old))), dict(_flat(_parsed(new)))
        for key in sorted(old_keys.keys() | new_keys.keys()):
            was, becomes = _shown(old_keys, key), _shown(new_keys, key)
            if was != becomes:
                yield f"{key}: {was} -> {becomes}" if key else f"{was} -> {becomes}"


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, f"{key}.{name}" if key else name)
    else:
        yield key, value


def _shown(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key]) if key in values else "nothing"


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and bool(_FINGERPRINT.fullmatch(value))
