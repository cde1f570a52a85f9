"""Groups of nouns, sentence patterns and word lists of the offline captioner, read from three TSV files.

groups.tsv    which WordNet parents make a noun a bird, a drink, a tool; each group has a parent group, up to `thing`
patterns.tsv  sentences with slots; a group also uses the patterns of its parents
words.tsv     words for the slots; a group without a list of its own uses that of its parent
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.text import agreeing
from nounflow.tsv import read_rows
from nounflow.wordnet import LEXNAMES

ROOT = "thing"
NOUN_SLOTS = frozenset({"noun", "detail", "feature", "others", "trait"})  # filled from the noun's own entry
WORD_SLOTS = frozenset({"place", "scene", "adjective", "light", "viewer"})  # filled from words.tsv
_SETTINGS = frozenset({"quantity", "trait", "uncountable", "spoken"})  # lists of `thing` that no slot names

_SLOT = re.compile(r"\{([^{}]*)\}")
_NOUN_PHRASE = re.compile(r"(?:^|(?<= ))(?:[#@]|the) (?:\{(?:adjective|trait)\} )?\{noun\}")


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


class SceneBook:
    """The three files, checked."""

    def __init__(self, folder: Path) -> None:
        """Read groups.tsv, patterns.tsv and words.tsv of a folder.

        Raises:
            NounflowError: a mistake in a file, with the file and the row.
        """
        # groups: group -> its parent, "" for `thing`; claims: (kind, parent's name) -> group
        self.groups, self._claims = _read_groups(folder / "groups.tsv")
        self._words = _read_words(folder / "words.tsv", self.groups)  # (list, group) -> words
        self._patterns = _read_patterns(folder / "patterns.tsv", self.groups)  # group -> its own patterns
        for name in self.groups:
            if not any(pattern.slots <= WORD_SLOTS | {"noun"} for pattern in self.patterns(name)):
                raise NounflowError(
                    f"Group '{name}' has no pattern that fits a noun without a gloss",
                    where=folder / "patterns.tsv",
                    fix=f"add one for the group or for '{ROOT}', such as: @ {{noun}} {{place}} {{light}}.",
                )
            used = {slot for pattern in self.patterns(name) for slot in pattern.slots & WORD_SLOTS}
            if missing := sorted(slot for slot in used if not self.words(slot, name)):
                raise NounflowError(
                    f"Group '{name}' has no words for the slots {', '.join(missing)}",
                    where=folder / "words.tsv",
                    fix=f"add a row for the group, or for '{ROOT}'",
                )

    def group_of(self, kind: str, names: Iterable[str]) -> str:
        """The group of a noun, from its WordNet class and its own name and parents', nearest first."""
        for name in names:
            if group := self._claims.get((kind, name.lower())):
                return group
        return kind if kind in self.groups else ROOT

    def lineage(self, group: str) -> list[str]:
        """A group, its parent, and so on up to `thing`."""
        line = [group]
        while parent := self.groups[line[-1]]:
            line.append(parent)
        return line

    def patterns(self, group: str) -> list[Pattern]:
        """Patterns of a group and of all above it."""
        return [pattern for name in self.lineage(group) for pattern in self._patterns.get(name, ())]

    def words(self, slot: str, group: str = ROOT) -> tuple[str, ...]:
        """The nearest word list of a group, empty if there is none."""
        return next((self._words[slot, name] for name in self.lineage(group) if (slot, name) in self._words), ())


def _read_groups(path: Path) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    groups: dict[str, str] = {}
    claims: dict[tuple[str, str], str] = {}
    kinds = LEXNAMES.values()
    for row in read_rows(path, ("group", "parent", "kind", "hypernyms"), "group"):
        name, parent, kind = row["group"], row["parent"], row["kind"]
        row.refuse_if(name in groups or not name, f"group '{name}': a new name expected")
        no_parent = parent not in groups if name != ROOT else parent
        row.refuse_if(no_parent, f"parent '{parent}': a group of a row above expected")
        no_kind = kind not in kinds if name != ROOT else kind
        row.refuse_if(no_kind, f"kind '{kind}': found, allowed: {', '.join(kinds)}")
        groups[name] = parent
        for hypernym in _split(row["hypernyms"]):
            claims.setdefault((kind, hypernym.lower()), name)  # the first group that names it
    if ROOT not in groups:
        raise NounflowError(f"The group file has no group '{ROOT}'", where=path)
    return groups, claims


def _read_patterns(path: Path, groups: dict[str, str]) -> dict[str, tuple[Pattern, ...]]:
    patterns: dict[str, list[Pattern]] = {}
    known: set[str] = set()
    for row in read_rows(path, ("id", "group", "weight", "pattern"), "pattern"):
        name, group, weight, text = row["id"], row["group"], row["weight"], row["pattern"]
        slots = _SLOT.findall(text)
        row.refuse_if(name in known or not name, f"id '{name}': a new id expected")
        row.refuse_if(group not in groups, f"group '{group}' is not in groups.tsv")
        low = not weight.isdecimal() or int(weight) < 1
        row.refuse_if(low, f"weight '{weight}': a whole number of 1 or more expected")
        unknown = sorted(set(slots) - NOUN_SLOTS - WORD_SLOTS)
        allowed = f"allowed: {', '.join(NOUN_SLOTS | WORD_SLOTS)}"
        row.refuse_if(unknown, f"unknown slot {', '.join(unknown)}", allowed)
        lost = slots.count("noun") != 1 or not _NOUN_PHRASE.search(text)
        row.refuse_if(lost, f"'{text}': one {{noun}} behind #, @ or the expected", "write: # {adjective} {noun}")
        untidy = not text.endswith(".") or text != " ".join(text.split())
        row.refuse_if(untidy, f"'{text}': single spaces and a full stop at the end expected")
        torn = set("{}[]") & set(agreeing(_SLOT.sub("", text), plural=False))
        row.refuse_if(torn, f"'{text}': a bracket is not closed")
        known.add(name)
        patterns.setdefault(group, []).append(Pattern(name, int(weight), text, frozenset(slots)))
    return {group: tuple(of_group) for group, of_group in patterns.items()}


def _read_words(path: Path, groups: dict[str, str]) -> dict[tuple[str, str], tuple[str, ...]]:
    words: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in read_rows(path, ("list", "group", "words"), "word list"):
        name, group, found = row["list"], row["group"], _split(row["words"])
        row.refuse_if(group not in groups, f"group '{group}' is not in groups.tsv")
        known = name in WORD_SLOTS or (name in _SETTINGS and group == ROOT)
        row.refuse_if(not known, f"unknown list '{name}'", f"allowed: {', '.join(sorted(WORD_SLOTS))}")
        row.refuse_if((name, group) in words, f"list '{name}' of '{group}' stands twice")
        row.refuse_if(not found, "the list is empty")
        words[name, group] = tuple(dict.fromkeys(found))
    return words


def _split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]
