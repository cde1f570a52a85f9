"""Prompt collections in the published JSON layout, as template files of ours.

The JSON holds `{"prompts": {collection: [[frequency, template], ...]}}`; a template has one place: `{noun}` (either
number), `{singular}`, `{plural}`, or one of them behind `article_`, which stands for a or an and the noun.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nounflow.captions.templates import COLUMNS, CORE_PREFIX, Number, Templates
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.escaping import guarded
from nounflow.files import read_json
from nounflow.text import agreeing

_PLACE = re.compile(r"\{[^{}]*\}|[{}]")
_PLACES = {f"{{{article}{noun}}}" for article in ("", "article_") for noun in ("noun", "singular", "plural")}
_WRITTEN_ARTICLE = re.compile(r"\b[Aa]n? (?=\{noun\})")


@dataclass(frozen=True)
class Prompt:
    """One prompt of the chosen collections together."""

    text: str  # with a full stop, and the place as in the file
    frequency: int  # summed over the collections
    core: bool  # every noun gets it in M1


def read_prompts(path: Path, collections: Sequence[str], core: str | None = None) -> list[Prompt]:
    """The prompts of some collections; equal texts are one, their frequencies add up.

    Args:
        path: the JSON file.
        collections: names of collections.
        core: collection whose prompts every noun gets in M1; None: the prompts of highest frequency, at most seven.

    Raises:
        NounflowError: another layout, a collection that the file lacks, or a prompt that is not sound.
    """
    found = _collections(path)
    for name in (*collections, *([core] if core else [])):
        if name not in found:
            raise NounflowError(
                f"The prompt file has no collection '{name}'", where=path, fix=f"it has: {', '.join(sorted(found))}"
            )
    frequencies: dict[str, int] = {}
    for name in collections:
        for i, entry in enumerate(found[name]):
            frequency, text = _entry(entry, f"{path}, collection {name}, entry {i}")
            frequencies[text] = frequencies.get(text, 0) + frequency
    if core:
        chosen = {_entry(entry, f"{path}, collection {core}")[1] for entry in found[core]}
    else:
        chosen = set(sorted(frequencies, key=lambda text: -frequencies[text])[:7])
    return [Prompt(text, frequency, text in chosen) for text, frequency in frequencies.items()]


def template_rows(prompts: Sequence[Prompt], number: Number, counts: Counts) -> list[tuple[str, ...]]:
    """Rows (id, weight, template, core) of the template file of one number; what cannot be used is counted.

    Raises:
        NounflowError: no core prompt has this number, or no prompt at all.
    """
    flow = counts.flow(f"{number} templates", len(prompts), "prompts")
    other = "plural" if number == "singular" else "singular"
    weights: dict[str, int] = {}
    core: set[str] = set()
    for prompt in prompts:
        if f"{other}}}" in prompt.text:
            flow.drop(1, f"only for the {other}")
            continue
        text = _PLACE.sub(lambda match: _place(match[0], number), prompt.text)
        if number == "plural" and _WRITTEN_ARTICLE.search(text):
            flow.drop(1, "a or an before a plural")
            continue
        text = _WRITTEN_ARTICLE.sub("", text).replace("{noun}", "{a_noun}") if _WRITTEN_ARTICLE.search(text) else text
        flow.drop(int(text in weights), "the same as another template (weights added)")
        weights[text] = weights.get(text, 0) + prompt.frequency
        if prompt.core:
            core.add(text)
    flow.out(len(weights), "templates")
    if not core:
        raise NounflowError(
            f"None of the {len(prompts)} prompts is a core one for the {number}, and every noun needs one",
            fix="name a collection of general prompts with --core",
        )
    ids: set[str] = set()
    return [
        (_name(text, text in core, ids), str(weight), text, str(int(text in core))) for text, weight in weights.items()
    ]


def as_tsv(rows: Sequence[tuple[str, ...]]) -> str:
    """The content of a template file."""
    return "".join("\t".join(map(guarded, cells)) + "\n" for cells in (COLUMNS, *rows))


def _collections(path: Path) -> dict[str, list[Any]]:
    content = read_json(path, "prompt file", "check its path and its text")
    found = content.get("prompts") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(entries, list) for entries in found.values()):
        raise NounflowError(
            "The prompt file needs a key `prompts` that holds lists by the names of collections", where=path
        )
    return found


def _entry(entry: Any, where: str) -> tuple[int, str]:
    match entry:
        case [int(frequency), str(text)] if frequency > 0:
            text = " ".join(text.split())
        case _:
            raise NounflowError(f"Not a pair of a frequency of 1 or more and a prompt: {entry}", where=where)
    places = _PLACE.findall(text)
    if len(places) != 1 or places[0] not in _PLACES:
        raise NounflowError(
            f"'{text}': exactly one place expected", where=where, fix=f"allowed: {', '.join(sorted(_PLACES))}"
        )
    return frequency, text if text.endswith(".") else f"{text}."


def _place(place: str, number: Number) -> str:
    return "{a_noun}" if number == "singular" and "article_" in place else "{noun}"


def _name(text: str, core: bool, taken: set[str]) -> str:
    """An id from the template's words that no other row has."""
    words = re.findall(r"[a-z0-9]+", text.lower().replace("{a_noun}", "a noun"))
    name = (CORE_PREFIX if core else "") + "-".join(words)
    if not core and name.startswith(CORE_PREFIX):
        name = f"the-{name}"
    base, n = name, 1
    while name in taken:
        n += 1
        name = f"{base}-{n}"
    taken.add(name)
    return name


def published_prompts(templates: Templates) -> dict[str, Any]:
    """Template files in the published layout: the collections `singular`, `plural` and `core`.

    Weights become whole numbers, 1 at least. "[this is|these are]" is written out for one noun.
    """
    found: dict[str, list[list[Any]]] = {}
    for number, of_number in (("singular", templates.singular), ("plural", templates.plural)):
        place = {"{a_noun}": "{article_singular}" if number == "singular" else "{plural}", "{noun}": f"{{{number}}}"}
        for template in of_number:
            text = agreeing(template.text, plural=number == "plural")
            for ours, theirs in place.items():
                text = text.replace(ours, theirs)
            entry = [max(1, round(template.weight)), text]
            found.setdefault(number, []).append(entry)
            if template.core:
                found.setdefault("core", []).append(entry)
    return {"prompts": found, "hypernyms": {"None": [[1, None]]}}
