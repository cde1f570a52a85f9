"""Why something would run: causes first, in words, then what only follows from them."""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError
from nounflow.workflow.dry_run import DryRun, changed_outputs, dry_run

_PARAMS = re.compile(
    r"Params have changed since last execution: .*?before: (?P<before>.*?) now: (?P<now>.*?)\s*(?:;|$)", flags=re.DOTALL
)
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,]+")
_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")
_FOLLOWS = "Input files updated by another job: "
_FILES_SHOWN = 4
_RULES_ASKED = 4  # a question takes seconds
_JOBS_SHOWN = 20  # of those that only follow
_IMAGES = "images "  # before the digest of a folder's listing


@dataclass(frozen=True)
class Reasons:
    """Jobs with a cause of their own, and those that only follow."""

    causes: tuple[tuple[str, tuple[str, ...]], ...]  # (job, what changed)
    followers: tuple[str, ...]
    changed: tuple[str, ...] = ()  # rules with other settings or code, where they are too many to look into


def explain(targets: Sequence[str], configfiles: Sequence[Path] = ()) -> Reasons:
    """Ask Snakemake what it would run for some targets and why, in the working folder."""
    with ThreadPoolExecutor(max_workers=2) as pool:  # each question is a Snakemake process
        changed = pool.submit(changed_outputs, targets, configfiles)
        run = dry_run(targets, configfiles)
        rules = changed.result()
        if len(rules) < 2:  # one that the dry run has named, or none
            return reasons(run)
        if len(rules) > _RULES_ASKED:
            return replace(reasons(run), changed=tuple(rules))
        return reasons(run, list(pool.map(lambda rule: _alone(rule, rules[rule], configfiles), rules)))


def _alone(rule: str, outputs: Sequence[str], configfiles: Sequence[Path]) -> DryRun:
    """What a rule would make anew if nothing before it did; nothing where its inputs are not there."""
    try:
        return dry_run([*outputs, "--allowed-rules", rule], configfiles)
    except NounflowError:
        return DryRun((), {})


def reasons(run: DryRun, alone: Sequence[DryRun] = ()) -> Reasons:
    """Sort the jobs of a dry run.

    Args:
        run: the whole.
        alone: dry runs in which nothing stands before the jobs, so that none only follows.
    """
    causes: dict[str, tuple[str, ...]] = {}
    for message, reason in [job for part in (run, *alone) for job in part.jobs]:
        causes[message] = causes.get(message) or tuple(dict.fromkeys(_causes(reason)))
    jobs = [message for message, _ in run.jobs]
    return Reasons(
        tuple((message, causes[message]) for message in jobs if causes[message]),
        tuple(message for message in jobs if not causes[message]),
    )


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
        lines += [f"    {job}" for job in found.followers[:_JOBS_SHOWN]]
        if (more := len(found.followers) - _JOBS_SHOWN) > 0:
            lines.append(f"    and {more} more")
    if found.changed:
        lines += ["", "Settings, inputs or code have changed of: " + ", ".join(found.changed)]
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
    if len(before) != len(now):  # equal ones stand once: Snakemake tells sets
        gone, new = ([value for value in one if value not in other] for one, other in ((before, now), (now, before)))
        if len(gone) != len(new):
            yield f"{_listed(gone)} -> {_listed(new)}"
            return
        before, now = gone, new
    for old, new in zip(before, now, strict=True):
        if _is_fingerprint(old) and _is_fingerprint(new):
            yield "its code has changed (or that of a module it imports, or the files of a model of yours)"
            continue
        if str(old).startswith(_IMAGES) and str(new).startswith(_IMAGES):
            yield "the images of its folder have changed (by name, size or time)"
            continue
        old_keys, new_keys = dict(_flat(_parsed(old))), dict(_flat(_parsed(new)))
        for key in sorted(old_keys.keys() | new_keys.keys()):
            was, becomes = _shown(old_keys, key), _shown(new_keys, key)
            if was != becomes:
                yield f"{key}: {was} -> {becomes}" if key else f"{was} -> {becomes}"


def _listed(values: Sequence[Any]) -> str:
    return ", ".join("its code" if _is_fingerprint(value) else json.dumps(value) for value in values) or "nothing"


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
