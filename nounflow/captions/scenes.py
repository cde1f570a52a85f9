"""Groups of nouns, sentence patterns and word lists of the offline captioner, read from three TSV files.

groups.tsv    which WordNet parents make a noun a bird, a drink, a tool; each group has a parent group, up to `thing`
patterns.tsv  sentences with slots; a group also uses the patterns of its parents
words.tsv     words for the slots; a group without a list of its own uses that of its parent
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nounflow.captions.tsv import read_rows, reject
from nounflow.errors import NounflowError
from nounflow.wordnet import LEXNAMES

ROOT = "thing"
NOUN_SLOTS = frozenset({"noun", "detail", "apposition", "class", "trait"})  # filled from the noun's own entry
WORD_SLOTS = frozenset({"place", "scene", "adjective", "light", "viewer"})  # filled from words.tsv
_SETTINGS = frozenset({"quantity", "trait", "uncountable", "unspoken"})  # lists of `thing` that no slot names

_SLOT = re.compile(r"\{([^{}]*)\}")
_FORM_CHOICE = re.compile(r"\[([^\[\]|]+)\|([^\[\]|]+)\]")
_NOUN_PHRASE = re.compile(r"(?:^|(?<= ))(?:[#@]|the) (?:\{(?:adjective|trait)\} )?\{noun\}")


@dataclass(frozen=True)
class SceneGroup:
    """Nouns that are found in the same places and do the same things."""

    name: str
    parent: str | None
    kind: str | None  # WordNet class that it belongs to; None: all
    uncountable: bool  # "some rice" rather than "a rice"


@dataclass(frozen=True)
class Pattern:
    """One sentence.

    `#` before the noun phrase becomes a, an, "some" or a number word, `@` becomes a, an or nothing;
    `[is|are]` follows the number of the noun; the slots are those of `NOUN_SLOTS` and `WORD_SLOTS`.
    """

    id: str
    weight: float
    text: str
    slots: frozenset[str]

    def inflected(self, plural: bool) -> str:
        """The text with its verbs in one number."""
        return _FORM_CHOICE.sub(r"\2" if plural else r"\1", self.text)


class SceneBook:
    """The three files, checked."""

    def __init__(
        self,
        groups: dict[str, SceneGroup],
        claims: dict[tuple[str, str], str],
        patterns: dict[str, tuple[Pattern, ...]],
        words: dict[tuple[str, str], tuple[str, ...]],
    ) -> None:
        self.groups = groups
        self._claims = claims  # (kind, parent name) -> group
        self._patterns = patterns  # group -> its own patterns
        self._words = words  # (list, group) -> words

    @classmethod
    def read(cls, folder: Path) -> SceneBook:
        """Read groups.tsv, patterns.tsv and words.tsv of a folder.

        Raises:
            NounflowError: a mistake in a file, with the file and the row.
        """
        folder = Path(folder)
        groups, claims = _read_groups(folder / "groups.tsv")
        words = _read_words(folder / "words.tsv", groups)
        book = cls(groups, claims, _read_patterns(folder / "patterns.tsv", groups), words)
        for name in groups:
            if not any(pattern.slots <= WORD_SLOTS | {"noun"} for pattern in book.patterns(name)):
                raise NounflowError(
                    f"SceneGroup '{name}' has no pattern that fits a noun without a gloss",
                    where=folder / "patterns.tsv",
                    fix=f"add one for the group or for '{ROOT}', such as: @ {{noun}} {{place}} {{light}}.",
                )
            used = {slot for pattern in book.patterns(name) for slot in pattern.slots & WORD_SLOTS}
            if missing := sorted(slot for slot in used if not book.words(slot, name)):
                raise NounflowError(
                    f"SceneGroup '{name}' has no words for the slots {', '.join(missing)}",
                    where=folder / "words.tsv",
                    fix=f"add a row for the group, or for '{ROOT}'",
                )
        return book

    def group_of(self, kind: str, names: Iterable[str]) -> SceneGroup:
        """The group of a noun, from its WordNet class and its own name and parents', nearest first."""
        for name in names:
            if group := self._claims.get((kind, name.lower())):
                return self.groups[group]
        return self.groups[kind if kind in self.groups else ROOT]

    def lineage(self, group: str) -> list[str]:
        """A group, its parent, and so on up to `thing`."""
        line = [group]
        while (parent := self.groups[line[-1]].parent) is not None:
            line.append(parent)
        return line

    def patterns(self, group: str) -> list[Pattern]:
        """Patterns of a group and of all above it."""
        return [pattern for name in self.lineage(group) for pattern in self._patterns.get(name, ())]

    def words(self, slot: str, group: str = ROOT) -> tuple[str, ...]:
        """The nearest word list of a group, empty if there is none."""
        return next((self._words[slot, name] for name in self.lineage(group) if (slot, name) in self._words), ())


def _read_groups(path: Path) -> tuple[dict[str, SceneGroup], dict[tuple[str, str], str]]:
    groups: dict[str, SceneGroup] = {}
    claims: dict[tuple[str, str], str] = {}
    for line, row in read_rows(path, ("group", "parent", "kind", "uncountable", "hypernyms"), "group"):
        name, parent, kind = row["group"], row["parent"] or None, row["kind"] or None
        if name in groups or not name:
            reject(path, line, f"group '{name}': a new name expected")
        if (parent is None) != (name == ROOT) or (parent is not None and parent not in groups):
            reject(path, line, f"parent '{parent}': a group of a row above expected")
        if (kind is None) != (name == ROOT) or (kind is not None and kind not in LEXNAMES.values()):
            reject(path, line, f"kind '{kind}': found, allowed: {', '.join(LEXNAMES.values())}")
        if row["uncountable"] not in ("0", "1"):
            reject(path, line, f"uncountable '{row['uncountable']}': 0 or 1 expected")
        groups[name] = SceneGroup(name, parent, kind, row["uncountable"] == "1")
        for hypernym in _split(row["hypernyms"]):
            claims.setdefault((str(kind), hypernym.lower()), name)  # the first group that names it
    if ROOT not in groups:
        raise NounflowError(f"The group file has no group '{ROOT}'", where=path)
    return groups, claims


def _read_patterns(path: Path, groups: dict[str, SceneGroup]) -> dict[str, tuple[Pattern, ...]]:
    patterns: dict[str, list[Pattern]] = {}
    known: set[str] = set()
    for line, row in read_rows(path, ("id", "group", "weight", "pattern"), "pattern"):
        text = row["pattern"]
        slots = _SLOT.findall(text)
        if row["id"] in known or not row["id"]:
            reject(path, line, f"id '{row['id']}': a new id expected")
        if row["group"] not in groups:
            reject(path, line, f"group '{row['group']}' is not in groups.tsv")
        if not row["weight"].isdigit() or int(row["weight"]) < 1:
            reject(path, line, f"weight '{row['weight']}': a whole number of 1 or more expected")
        if unknown := sorted(set(slots) - NOUN_SLOTS - WORD_SLOTS):
            reject(path, line, f"unknown slot {', '.join(unknown)}", f"allowed: {', '.join(NOUN_SLOTS | WORD_SLOTS)}")
        if slots.count("noun") != 1 or not _NOUN_PHRASE.search(text):
            reject(path, line, f"'{text}': one {{noun}} behind #, @ or the expected", "write: # {adjective} {noun}")
        if not text.endswith(".") or text != " ".join(text.split()):
            reject(path, line, f"'{text}': single spaces and a full stop at the end expected")
        if set("{}[]") & set(_FORM_CHOICE.sub("", _SLOT.sub("", text))):
            reject(path, line, f"'{text}': a bracket is not closed")
        known.add(row["id"])
        patterns.setdefault(row["group"], []).append(Pattern(row["id"], int(row["weight"]), text, frozenset(slots)))
    return {group: tuple(of_group) for group, of_group in patterns.items()}


def _read_words(path: Path, groups: dict[str, SceneGroup]) -> dict[tuple[str, str], tuple[str, ...]]:
    words: dict[tuple[str, str], tuple[str, ...]] = {}
    for line, row in read_rows(path, ("list", "group", "words"), "word list"):
        name = (row["list"], row["group"])
        if row["group"] not in groups:
            reject(path, line, f"group '{row['group']}' is not in groups.tsv")
        if row["list"] not in WORD_SLOTS and not (row["list"] in _SETTINGS and row["group"] == ROOT):
            reject(path, line, f"unknown list '{row['list']}'", f"allowed: {', '.join(sorted(WORD_SLOTS))}")
        if name in words:
            reject(path, line, f"list '{row['list']}' of '{row['group']}' stands twice")
        words[name] = tuple(dict.fromkeys(_split(row["words"])))
        if not words[name]:
            reject(path, line, "the list is empty")
    return words


def _split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]
