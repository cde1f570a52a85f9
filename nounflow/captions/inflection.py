"""Plural and singular of single words in glosses (a noun's own forms come from the lexicon)."""

from __future__ import annotations

import functools

from nounflow.text import _inflect_engine


@functools.lru_cache(maxsize=65536)
def plural_of(word: str) -> str:
    """The plural of a singular noun: "songbird" -> "songbirds"."""
    return str(_inflect_engine().plural_noun(word) or word)


@functools.lru_cache(maxsize=65536)
def singular_of(word: str) -> str | None:
    """The singular of a plural noun, None if the word is no plural."""
    if not word.endswith("s") and word not in _IRREGULAR:
        return None
    return str(_inflect_engine().singular_noun(word) or "") or None


_IRREGULAR = frozenset("men women children teeth feet geese mice people cattle oxen lice fungi algae larvae".split())
