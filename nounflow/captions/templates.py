"""Prompt templates: texts with one place for a noun, in a TSV file for each number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nounflow.errors import NounflowError
from nounflow.text import agreeing, join_words
from nounflow.tsv import Row, read_rows

Number = Literal["singular", "plural"]
COLUMNS = ("id", "weight", "template", "core")
CORE_PREFIX = "core-"  # so that a table of captions tells by itself which texts every noun has

_PLACES = {"{noun}", "{a_noun}"}
_BRACED = re.compile(r"\{[^{}]*\}|[{}]")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# "a large {noun}", which several nouns repeat: "a large owl and a large dog"
_OWN_LEAD = re.compile(r"(?:^|(?<= ))an? (?:(?!of |the |my |your |with |than |\w+ing )[\w-]+ ){1,2}$", re.IGNORECASE)
_LITERAL_ARTICLE = re.compile(r"(?:^|\s)an? \{noun\}", re.IGNORECASE)


@dataclass(frozen=True)
class Template:
    """One prompt: `head` + noun or nouns + `tail`."""

    id: str
    weight: float  # how often it is drawn, relative to the others of its file
    head: str
    lead: str  # what each noun stands behind: "", "a" (or an, or some), "a large"
    tail: str
    core: bool  # every noun gets this one in M1

    @property
    def text(self) -> str:
        """The template as written in its file."""
        lead = f"{self.lead} " if self.lead else ""
        return f"{self.head}{'{a_noun}' if self.lead == 'a' else lead + '{noun}'}{self.tail}"

    def around(self, phrases: Sequence[str]) -> str:
        """The text for one or more nouns, each behind its `lead` already; verbs agree with how many there are."""
        return agreeing(f"{self.head}{join_words(phrases)}{self.tail}", plural=len(phrases) > 1)


@dataclass(frozen=True)
class Templates:
    """The templates of both files."""

    singular: tuple[Template, ...]
    plural: tuple[Template, ...]

    @classmethod
    def read(cls, singular: Path, plural: Path) -> "Templates":
        """Read and check both files, see `read_templates`; an id may stand in both."""
        return cls(read_templates(singular, "singular"), read_templates(plural, "plural"))


def read_templates(path: Path, number: Number) -> tuple[Template, ...]:
    """Templates of one number, in the file's order.

    Raises:
        NounflowError: a mistake in the file, with the file and the row.
    """
    templates: list[Template] = []
    places: dict[str, str] = {}  # id or text of a template -> where it stands
    for row in read_rows(path, COLUMNS, f"{number} template"):
        template = _template(row, number)
        for known in (template.id, template.text):
            place = places.setdefault(known, row.place)
            row.refuse_if(place != row.place, f"'{known}' stands already in {place.rpartition(', ')[2]}")
        templates.append(template)
    if not any(template.core for template in templates):
        raise NounflowError(
            f"No {number} template has core = 1, and every noun needs one",
            where=path,
            fix=f"set core to 1 and begin the id with {CORE_PREFIX} for a few general templates",
        )
    return tuple(templates)


def _template(row: Row, number: Number) -> Template:
    name, text, core, weight = row["id"], row["template"], row["core"], row["weight"]
    no_id = not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    row.refuse_if(no_id, f"id '{name}': small letters, digits and hyphens expected")
    no_core = core not in ("0", "1") or (core == "1") != name.startswith(CORE_PREFIX)
    row.refuse_if(no_core, f"core '{core}': 1 expected where the id begins with {CORE_PREFIX}, else 0")
    no_weight = not _NUMBER.fullmatch(weight) or not 0 < float(weight) < 1e6
    row.refuse_if(no_weight, f"weight '{weight}': a number above 0 and below a million expected")
    places = _BRACED.findall(text)
    example = f"for example: a photo of {{{'a_noun' if number == 'singular' else 'noun'}}}."
    no_place = len(places) != 1 or places[0] not in _PLACES
    row.refuse_if(no_place, f"'{text}': exactly one {{noun}} or {{a_noun}} expected", example)
    article = places[0] == "{a_noun}"
    row.refuse_if(number == "plural" and article, f"'{text}': plurals have no article", "write {noun}")
    written = _LITERAL_ARTICLE.search(text)
    row.refuse_if(written, f"'{text}': a or an cannot be fixed before the noun is known", "write {a_noun}")
    untidy = text != " ".join(text.split()) or not text.endswith(".") or text.endswith("..")
    row.refuse_if(untidy, f"'{text}': single spaces and one full stop at the end expected")
    torn = set("[]") & set(agreeing(text, plural=False))
    row.refuse_if(torn, f"'{text}': a bracket is not closed", "write the forms of a verb as [is|are]")
    head, tail = text.split(places[0])
    lead = "a" if article else ""
    if number == "singular" and not article and (own := _OWN_LEAD.search(head)):
        head, lead = head[: own.start()], own[0].rstrip()
    return Template(name, float(weight), head, lead, tail, core == "1")
