"""Nouns that go together: those that stand in one gloss, as "saucer" stands in that of "cup"."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import polars as pl

from nounflow.captions.forms import Forms
from nounflow.captions.mentions import FormIndex, secondary_nouns


class Companions:
    """The companions of each noun of a lexicon.

    A gloss's nouns are its own entry and the nouns that it names, as the checks of captions find secondary nouns. Any
    two of them are companions, but for synonyms and for a noun and its parent ("a robin and a bird").
    """

    def __init__(self, nouns: pl.DataFrame) -> None:
        index = FormIndex(nouns)
        related = index.forms.is_related
        found: dict[int, set[int]] = defaultdict(set)
        for noun, gloss in nouns.select("id", "gloss").iter_rows():
            together = (noun, *secondary_nouns(index.forms, index.read(gloss or "", (noun,)), (noun,))[0])
            for one, other in combinations(together, 2):
                if not (related(one, other) or related(other, one)):
                    found[one].add(other)
                    found[other].add(one)
        self._of = {noun: tuple(sorted(others)) for noun, others in found.items()}
        self._forms: dict[tuple[int, int], np.ndarray] = {}

    def of(self, noun: int) -> tuple[int, ...]:
        """Ids of a noun's companions, ascending."""
        return self._of.get(noun, ())

    def forms(self, noun: int, forms: Forms) -> np.ndarray:
        """Positions among `forms` of all forms of a noun's companions, int64."""
        key = (noun, id(forms))
        if key not in self._forms:
            self._forms[key] = np.array([i for other in self.of(noun) for i in forms.of(other)], dtype=np.int64)
        return self._forms[key]
