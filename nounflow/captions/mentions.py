"""Which nouns of a lexicon a text names, in which number and where, and which of them are news beside its own."""

import functools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from nounflow.senses import FormUse, LexiconForms, is_acronym
from nounflow.text import canon, word_set

_WORD = re.compile(r"[^\W_]+(?:['’.][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)
_WITHIN = re.compile(r"[\s/_-]+")  # what may stand between two words of one noun
_AFTER_TITLE = re.compile(r"\.\s*")
_TITLE = re.compile(r"(\w+)\.\s")  # "St. Bernard"
# Verbs and small words that are spelled like nouns.
_NOT_NOUNS = word_set(
    "can will may might must saw left lead leaves like well still just back down close past round near over about"
)
# What a caption calls the picture itself.
_FRAMES = word_set(
    "photo photos photograph photographs picture pictures image images portrait portraits view shot snapshot"
)
_DETERMINERS = word_set("a an the some his her its their")


@dataclass(frozen=True)
class Word:
    """A word of a text, from character `start` to `end`."""

    start: int
    end: int
    canon: str
    bare: str  # without a possessive s


@dataclass(frozen=True)
class Mention:
    """A form at words `first` .. `stop` of a text."""

    first: int
    stop: int
    uses: tuple[FormUse, ...]

    def of(self, noun: int) -> FormUse | None:
        """What the form is of the noun, None if it is none of the noun's."""
        return next((use for use in self.uses if use.noun == noun), None)

    def rank(self, wanted: Collection[int]) -> tuple[int, bool, int]:
        """Order in which overlapping mentions are taken: the longest, a wanted one, the first."""
        return self.first - self.stop, all(use.noun not in wanted for use in self.uses), self.first


@dataclass(frozen=True)
class ReadText:
    """A text as words, and the nouns it names: the longest forms, without overlap, in order."""

    text: str
    words: tuple[Word, ...]
    mentions: tuple[Mention, ...] = ()

    def of(self, noun: int) -> list[tuple[Mention, FormUse]]:
        """Mentions of one noun."""
        return [(mention, use) for mention in self.mentions if (use := mention.of(noun))]

    def joined(self, word: int) -> bool:
        """Whether only a space or a hyphen separates a word from the one behind it."""
        if word + 1 >= len(self.words):
            return False
        return bool(_WITHIN.fullmatch(self.text, self.words[word].end, self.words[word + 1].start))


class FormIndex:
    """Finds all written forms of a lexicon in texts."""

    def __init__(self, nouns: pl.DataFrame) -> None:
        self.forms = LexiconForms(nouns)
        # words whose dot is no full stop
        written = pl.concat([nouns["singulars"].explode(), nouns["plurals"].explode()]).drop_nulls()
        self._titles = {canon(title) for form in written for title in _TITLE.findall(form)}
        self._longest: dict[str, int] = defaultdict(int)  # first word -> words of its longest form
        for first, *others in filter(None, map(str.split, self.forms.by_canon)):
            self._longest[first] = max(self._longest[first], 1 + len(others))

    def read(self, text: str, wanted: Collection[int] = ()) -> ReadText:
        """Find the nouns of a text; where two equally long ones overlap, a `wanted` one counts, else the first."""
        words = tuple(Word(match.start(), match.end(), *_spellings(match[0])) for match in _WORD.finditer(text))
        bare = ReadText(text, words)
        found = [mention for first in range(len(words)) for mention in self._starting_at(bare, first)]
        found.sort(key=lambda mention: mention.rank(wanted))
        taken = [False] * len(words)
        mentions: list[Mention] = []
        for mention in found:
            if not any(taken[mention.first : mention.stop]):
                taken[mention.first : mention.stop] = [True] * (mention.stop - mention.first)
                mentions.append(mention)
        return ReadText(text, words, tuple(sorted(mentions, key=lambda mention: mention.first)))

    def hidden(self, reading: ReadText, noun: int) -> bool:
        """Whether a form of the noun stands in a text at all, if only inside a longer noun, as "dog" in "hot dog"."""
        starts = range(len(reading.words))
        return any(mention.of(noun) for first in starts for mention in self._starting_at(reading, first))

    def _starting_at(self, reading: ReadText, first: int) -> Iterator[Mention]:
        """All forms that begin at a word."""
        words = reading.words
        most = max(self._longest.get(words[first].canon, 0), self._longest.get(words[first].bare, 0))
        for stop in range(first + 1, min(first + most, len(words)) + 1):
            if stop > first + 1 and not self._one_phrase(reading, stop - 2):
                return
            spelling = " ".join([*(word.canon for word in words[first : stop - 1]), words[stop - 1].bare])
            uses = self.forms.by_canon.get(spelling, ())
            if any(use.acronym for use in uses):
                raised = is_acronym(reading.text[words[first].start : words[stop - 1].end])
                uses = tuple(use for use in uses if raised or not use.acronym)
            if uses:
                yield Mention(first, stop, uses)

    def _one_phrase(self, reading: ReadText, word: int) -> bool:
        """Whether a word and the one behind it may belong to one noun."""
        if reading.joined(word):
            return True
        here, behind = reading.words[word], reading.words[word + 1]
        return here.canon in self._titles and bool(_AFTER_TITLE.fullmatch(reading.text, here.end, behind.start))


@functools.lru_cache(maxsize=65536)
def _spellings(word: str) -> tuple[str, str]:
    """Normal spelling with and without a possessive s."""
    return canon(word), canon(_POSSESSIVE.sub("", word))


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
