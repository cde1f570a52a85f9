"""Nouns that a text names beside its own, and which of them are no news: parents and synonyms."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from nounflow.captions.mentions import Mention, ReadText


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Verbs and small words that are spelled like nouns.
_NOT_NOUNS = _words_of(
    "can will may might must saw left lead leaves like well still just back down close past round near over about"
)
# What a caption calls the picture itself.
_FRAMES = _words_of(
    "photo photos photograph photographs picture pictures image images portrait portraits view shot snapshot"
)
_DETERMINERS = frozenset(("a", "an", "the", "some", "his", "her", "its", "their"))


class SecondaryNouns:
    """What a lexicon says of the relation between its nouns."""

    def __init__(self, nouns: pl.DataFrame) -> None:
        self._canons: list[str] = nouns["canon"].to_list()
        self._parents = [frozenset(parents) for parents in nouns["hypernyms"].to_list()]
        self._meanings = list(nouns.select("gloss", pl.col("hypernyms").list.join("\0")).iter_rows())

    def of(self, reading: ReadText, targets: Sequence[int]) -> tuple[tuple[int, ...], int]:
        """Ids of secondary nouns in order of mention, and how often a target's parents and synonyms are mentioned."""
        others: dict[int, None] = {}
        related = 0
        starts = {mention.first for mention in reading.mentions}
        for mention in reading.mentions:
            if any(mention.of(noun) for noun in targets) or not _is_object(reading, mention, starts):
                continue
            noun = max(mention.senses, key=lambda sense: (sense.mass, -sense.noun)).noun
            if any(self.is_related(noun, target) for target in targets):
                related += 1
            else:
                others[noun] = None
        return tuple(others), related

    def is_related(self, noun: int, target: int) -> bool:
        """Whether a noun is a parent or a synonym of a target: "songbird" says of a robin what it is."""
        if self._canons[noun] in self._parents[target]:
            return True
        return bool(self._meanings[noun][0]) and self._meanings[noun] == self._meanings[target]


def _is_object(reading: ReadText, mention: Mention, starts: Collection[int]) -> bool:
    """Whether a mention stands for a thing in the picture; `starts`: where the text's mentions begin."""
    word = reading.words[mention.first].canon
    if mention.stop == mention.first + 1 and (word in _NOT_NOUNS or word in _FRAMES):
        return False
    if not reading.joined(mention.stop - 1):
        return True
    # "kitchen table": it only describes the noun behind it; "watches the sea": it is a verb
    return mention.stop not in starts and reading.words[mention.stop].canon not in _DETERMINERS
