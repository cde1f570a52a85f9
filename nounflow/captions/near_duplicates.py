"""Captions of the same nouns that say nearly the same.

Within one group of nouns there are at most a few hundred captions, so every pair is compared exactly; hashed sketches
(MinHash) would estimate the same number.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

Shingles = frozenset[str]


def shingles(words: Sequence[str]) -> Shingles:
    """All words and all pairs of neighbours."""
    return frozenset(words) | {f"{a} {b}" for a, b in pairwise(words)}


def similarity(one: Shingles, other: Shingles) -> float:
    """Jaccard similarity, 0 to 1; 1 for two empty sets."""
    together = len(one | other)
    return len(one & other) / together if together else 1.0


class Kept:
    """The captions of one group that were kept so far, as plain words."""

    def __init__(self, threshold: float, earlier: Iterable[tuple[str, ...]] = ()) -> None:
        self._threshold = threshold
        self._shingles = {words: shingles(words) for words in earlier}

    @property
    def words(self) -> list[tuple[str, ...]]:
        """The plain words of each, as they came."""
        return list(self._shingles)

    def fault(self, words: tuple[str, ...]) -> str | None:
        """Why a caption (as plain words) adds nothing; None if it does, and then it counts as kept."""
        if words in self._shingles:
            return "the same as another caption of the noun"
        found = shingles(words)
        low, high = self._threshold * len(found), len(found) / self._threshold
        for other in self._shingles.values():
            # sets of very different sizes cannot be similar
            if low <= len(other) <= high and similarity(found, other) >= self._threshold:
                return "nearly the same as another caption of the noun"
        self._shingles[words] = found
        return None
