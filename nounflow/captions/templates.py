"""Prompt templates: texts with one place for a noun, in a TSV file for each number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nounflow.captions.tsv import read_rows, reject
from nounflow.errors import NounflowError
from nounflow.text import join_words

Number = Literal["singular", "plural"]
COLUMNS = ("id", "weight", "template", "core")
CORE_PREFIX = "core-"  # so that a table of captions tells by itself which texts every noun has

_PLACES = {"{noun}", "{a_noun}"}
_BRACED = re.compile(r"\{[^{}]*\}|[{}]")
_LITERAL_ARTICLE = re.compile(r"(?:^|\s)an? \{noun\}", re.IGNORECASE)


@dataclass(frozen=True)
class Template:
    """One prompt: `head` + noun or nouns + `tail`."""

    id: str
    weight: float  # how often it is drawn, relative to the others of its file
    head: str
    tail: str
    article: bool  # the noun stands behind a or an
    core: bool  # every noun gets this one in M1

    @property
    def text(self) -> str:
        """The template as written in its file."""
        return f"{self.head}{{{'a_noun' if self.article else 'noun'}}}{self.tail}"

    def around(self, phrases: Sequence[str]) -> str:
        """The text for one or more nouns, which have their articles already if `article` asks for them."""
        return f"{self.head}{join_words(phrases)}{self.tail}"


@dataclass(frozen=True)
class Templates:
    """Both files."""

    singular: tuple[Template, ...]
    plural: tuple[Template, ...]

    @classmethod
    def read(cls, singular: Path, plural: Path) -> Templates:
        """Read and check both files; an id may stand in both.

        Raises:
            NounflowError: a mistake in a file, with the file and the row.
        """
        return cls(read_templates(singular, "singular"), read_templates(plural, "plural"))


def read_templates(path: Path, number: Number) -> tuple[Template, ...]:
    """Templates of one number, in the file's order.

    Raises:
        NounflowError: a mistake in the file, with the file and the row.
    """
    templates: list[Template] = []
    rows_by_id: dict[str, int] = {}
    rows_by_text: dict[str, int] = {}
    for line, row in read_rows(path, COLUMNS, f"{number} template"):
        template = _template(path, line, row, number)
        for known, value in ((rows_by_id, template.id), (rows_by_text, template.text)):
            if value in known:
                reject(path, line, f"'{value}' stands already in row {known[value]}")
            known[value] = line
        templates.append(template)
    if not any(template.core for template in templates):
        raise NounflowError(
            f"No {number} template has core = 1, and every noun needs one",
            where=path,
            fix=f"set core to 1 and begin the id with {CORE_PREFIX} for a few general templates",
        )
    return tuple(templates)


def _template(path: Path, line: int, row: dict[str, str], number: Number) -> Template:
    name, text, core = row["id"], row["template"], row["core"]
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        reject(path, line, f"id '{name}': small letters, digits and hyphens expected")
    if core not in ("0", "1") or (core == "1") != name.startswith(CORE_PREFIX):
        reject(path, line, f"core '{core}': 1 expected where the id begins with {CORE_PREFIX}, else 0")
    try:
        weight = float(row["weight"])
    except ValueError:
        weight = 0.0
    if not 0 < weight < 1e6:
        reject(path, line, f"weight '{row['weight']}': a number above 0 and below a million expected")
    braced = _BRACED.findall(text)
    if len(braced) != 1 or braced[0] not in _PLACES:
        example = "{a_noun}" if number == "singular" else "{noun}"
        reject(
            path, line, f"'{text}': exactly one {{noun}} or {{a_noun}} expected", f"for example: a photo of {example}."
        )
    if number == "plural" and braced[0] == "{a_noun}":
        reject(path, line, f"'{text}': plurals have no article", "write {noun}")
    if _LITERAL_ARTICLE.search(text):
        reject(path, line, f"'{text}': a or an cannot be fixed before the noun is known", "write {a_noun}")
    if text != " ".join(text.split()) or not text.endswith(".") or text.endswith(".."):
        reject(path, line, f"'{text}': single spaces and one full stop at the end expected")
    head, tail = text.split(braced[0])
    return Template(name, weight, head, tail, braced[0] == "{a_noun}", core == "1")
