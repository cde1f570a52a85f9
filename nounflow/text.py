"""English at the level of words: normal spelling, articles, joining. No dictionary knowledge."""

import functools
import re
from collections.abc import Sequence
from typing import Any

_WITHOUT_SIGNS = str.maketrans("/_-", "   ", "'’.")
_SEPARATORS = re.compile(r"[\s/_-]+")
_FORM_CHOICE = re.compile(r"\[([^\[\]|]+)\|([^\[\]|]+)\]")
# Initial letters whose *names* begin with a vowel sound: "an x-ray", "an LCD".
_VOWEL_LETTERS = frozenset("aefhilmnorsx")
# `inflect` follows spelling here; the ear does not.
_ARTICLES = (
    ("an", re.compile(r"hors\b|herb(?!iv|ar)|usher|uninhab|(?:8|11|18)(?!\d)|80|800", re.IGNORECASE)),
    ("a", re.compile(r"uakari|uinta|unioni|ouija|(?:one|once|ewe)\b|unakite|usnea|utah|uighur", re.IGNORECASE)),
    ("a", re.compile(r"(?:SIM|RAM|ROM|LAN|LEGO|LASER|FAQ|NASA|NATO|MIDI|SWAT|RADAR|SONAR|SCUBA|HEPA|RIB)\b")),  # spoken
)
_NUMBERED = re.compile(r"[A-Z][0-9]+")  # its letter is spoken: an N95 mask


def canon(text: str) -> str:
    """The normal spelling by which two forms count as the same: "St. Bernard" and "st bernard" are one.

    Lower case, apostrophes and dots deleted, hyphens, slashes and underscores as spaces.
    """
    text = text.lower()
    return text if text.isalnum() else " ".join(text.translate(_WITHOUT_SIGNS).split())


def word_set(text: str) -> frozenset[str]:
    """The words of a text: a set of words that is easy to read where it is written."""
    return frozenset(text.split())


@functools.lru_cache(maxsize=65536)
def indefinite_article(phrase: str) -> str:
    """ "a" or "an", as `phrase` is spoken."""
    first = _SEPARATORS.split(phrase, maxsplit=1)[0]
    for article, beginning in _ARTICLES:
        if beginning.match(phrase):
            return article
    spelt = len(first) == 1 or (first.isupper() and len(first) <= 4 and first.isalpha())
    if spelt or _NUMBERED.fullmatch(first):
        return "an" if first[0].lower() in _VOWEL_LETTERS else "a"
    found: str = _inflect_engine().a(first).split(" ", 1)[0]
    return found


def with_article(phrase: str) -> str:
    """The phrase behind its indefinite article: "an owl"."""
    return f"{indefinite_article(phrase)} {phrase}"


def counted(noun: str, countability: str) -> str:
    """A noun as one names it in a picture: "an owl", "some water", "jeans"; `countability` as in a lexicon."""
    if countability in ("plural", "name"):
        return noun
    return with_article(noun) if countability == "count" else f"some {noun}"


def agreeing(text: str, plural: bool) -> str:
    """The text with the first or the second form of each [is|are]."""
    return _FORM_CHOICE.sub(r"\2" if plural else r"\1", text)


def join_words(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *others, last = words or [""]
    return f"{', '.join(others)} and {last}" if others else last


@functools.lru_cache(maxsize=65536)
def regular_plural(word: str) -> str:
    """The plural by the rules of `inflect`: "songbirds"; it knows some irregular words, and no compounds."""
    return str(_inflect_engine().plural_noun(word))


@functools.lru_cache(maxsize=65536)
def regular_singular(word: str) -> str | None:
    """The singular by the rules of `inflect`; None if it takes the word for no plural."""
    return _inflect_engine().singular_noun(word) or None


@functools.lru_cache(maxsize=1)
def _inflect_engine() -> Any:
    import inflect  # late: it takes 0.3 s

    return inflect.engine()
