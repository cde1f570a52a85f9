"""Which nouns of a lexicon stand for the classes of a labelled set."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from nounflow.embedder_checks.imagenet import WORDNET_ID
from nounflow.senses import LexiconForms

_BRACKETS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_SEVERAL = re.compile(r"\s*(?:,|/|\bor\b)\s*")


@dataclass(frozen=True)
class ClassNouns:
    """What the classes are called in a lexicon."""

    nouns: dict[str, tuple[str, ...]]  # key of a class -> nouns, any of which is right for it
    unmapped: dict[str, str]  # key -> class name: no answer can be right

    @property
    def guide(self) -> tuple[str, ...]:
        """All nouns, sorted: the list of candidates."""
        return tuple(sorted({noun for nouns in self.nouns.values() for noun in nouns}))


def class_nouns(classes: Mapping[str, str], lexicon: pl.DataFrame) -> ClassNouns:
    """Look classes up by the forms of their names, then, where the key is a WordNet id, by its synset.

    A name is tried whole, then without brackets, then in its parts ("A or B", "A/B", "A, B"); the first of these that a
    lexicon knows counts. Of a form that several nouns have, those that can mean the class's synset go before others.

    Args:
        classes: key -> name, as in `CheckSet.classes`.
        lexicon: a table of schema `LEXICON`.
    """
    forms = LexiconForms(lexicon)
    nouns, synsets = lexicon["noun"].to_list(), lexicon["synsets"].to_list()
    by_synset: dict[str, list[int]] = {}
    for number, ids in enumerate(synsets):
        for synset in ids:
            by_synset.setdefault(synset, []).append(number)
    found: dict[str, tuple[str, ...]] = {}
    for key, name in classes.items():
        own = by_synset.get(key, []) if WORDNET_ID.fullmatch(key) else []
        named = next(filter(None, ([use.noun for use in forms.uses(text)] for text in _variants(name))), [])
        agreed = [number for number in named if number in own]
        if chosen := agreed or own or named:
            found[key] = tuple(nouns[number] for number in dict.fromkeys(chosen))
    return ClassNouns(found, {key: name for key, name in classes.items() if key not in found})


def _variants(name: str) -> Iterator[str]:
    yield name
    bare = _BRACKETS.sub("", name).strip()
    yield bare
    yield from filter(None, _SEVERAL.split(bare))
