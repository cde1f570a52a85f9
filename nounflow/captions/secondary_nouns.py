"""Nouns that a text names beside its own, and which of them are no news: parents and synonyms."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nounflow.captions.mentions import Mention, ReadText
from nounflow.senses import LexiconForms
from nounflow.text import word_set

# Verbs and small words that are spelled like nouns.
_NOT_NOUNS = word_set(
    "can will may might must saw left lead leaves like well still just back down close past round near over about"
)
# What a caption calls the picture itself.
_FRAMES = word_set(
    "photo photos photograph photographs picture pictures image images portrait portraits view shot snapshot"
)
_DETERMINERS = word_set("a an the some his her its their")


def secondary_nouns(forms: LexiconForms, reading: ReadText, targets: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Ids of secondary nouns in order of mention, and how often a target's parents and synonyms are mentioned."""
    others: dict[int, None] = {}
    related = 0
    starts = {mention.first for mention in reading.mentions}
    for mention in reading.mentions:
        if any(mention.of(noun) for noun in targets) or not _is_object(reading, mention, starts):
            continue
        noun = max(mention.uses, key=lambda use: (use.mass, -use.noun)).noun
        if any(forms.is_related(noun, target) for target in targets):
            related += 1
        else:
            others[noun] = None
    return tuple(others), related


def _is_object(reading: ReadText, mention: Mention, starts: Collection[int]) -> bool:
    """Whether a mention stands for a thing in the picture; `starts`: where the text's mentions begin."""
    word = reading.words[mention.first].canon
    if mention.stop == mention.first + 1 and (word in _NOT_NOUNS or word in _FRAMES):
        return False
    if not reading.joined(mention.stop - 1):
        return True
    # "kitchen table": it only describes the noun behind it; "watches the sea": it is a verb
    return mention.stop not in starts and reading.words[mention.stop].canon not in _DETERMINERS
