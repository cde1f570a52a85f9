"""English at the level of words: normal spelling, articles, joining. No dictionary knowledge."""

import functools
import re
from collections.abc import Sequence
from typing import Any

_DELETED = re.compile(r"['’.]")
_SEPARATORS = re.compile(r"[\s/_-]+")
# Initial letters whose *names* begin with a vowel sound: "an x-ray", "an LCD".
_VOWEL_LETTERS = frozenset("aefhilmnorsx")
# `inflect` follows spelling here; the ear does not.
_ARTICLE_EXCEPTIONS = {"uninhabited": "an", "unionised": "a", "ouija": "a", "one": "a", "once": "a", "ewe": "a"}


def canon(text: str) -> str:
    """The normal spelling by which two forms count as the same: "St. Bernard" and "st bernard" are one.

    Lower case, apostrophes and dots deleted, hyphens, slashes and underscores as spaces.
    """
    return _SEPARATORS.sub(" ", _DELETED.sub("", text.lower())).strip()


def word_set(text: str) -> frozenset[str]:
    """The words of a text: a set of words that is easy to read where it is written."""
    return frozenset(text.split())


@functools.lru_cache(maxsize=65536)
def indefinite_article(phrase: str) -> str:
    """ "a" or "an", as `phrase` is spoken."""
    first = _SEPARATORS.split(phrase, maxsplit=1)[0]
    if first.lower() in _ARTICLE_EXCEPTIONS:
        return _ARTICLE_EXCEPTIONS[first.lower()]
    if len(first) == 1 or (first.isupper() and len(first) <= 4 and first.isalpha()):
        return "an" if first[0].lower() in _VOWEL_LETTERS else "a"
    found: str = _inflect_engine().a(first).split(" ", 1)[0]
    return found


def with_article(phrase: str) -> str:
    """The phrase behind its indefinite article: "an owl"."""
    return f"{indefinite_article(phrase)} {phrase}"


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
