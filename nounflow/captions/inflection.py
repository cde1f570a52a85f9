"""Plural and singular of single words in glosses (a noun's own forms come from the lexicon)."""

from __future__ import annotations

import functools
from typing import Any

_NOT_IN_S = frozenset(
    ("men", "women", "children", "teeth", "feet", "geese", "mice", "people", "cattle", "oxen", "lice", "fungi", "algae")
)
_PLURAL_ONLY = frozenset(("goods", "clothes", "viscera"))


@functools.lru_cache(maxsize=65536)
def plural_of(word: str) -> str:
    """The plural of a singular noun: "songbird" -> "songbirds"."""
    return str(_engine().plural_noun(word) or word)


@functools.lru_cache(maxsize=65536)
def singular_of(word: str) -> str | None:
    """The singular of a plural noun, None if the word is no plural."""
    if not word.endswith("s") and word not in _NOT_IN_S:
        return None
    return str(_engine().singular_noun(word) or "") or None


def plural_only(word: str) -> bool:
    """Whether a word is a plural without a singular of the same meaning: "goods"."""
    return word in _PLURAL_ONLY


@functools.lru_cache(maxsize=1)
def _engine() -> Any:
    import inflect  # late: it takes 0.3 s

    return inflect.engine()
