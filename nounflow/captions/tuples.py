"""Which nouns a text of M2, M3, ... names: any that may stand together, or some that go together."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import polars as pl

from nounflow.captions.forms import Forms
from nounflow.captions.mentions import FormIndex, secondary_nouns
from nounflow.errors import NounflowError

_GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, fill the unit interval evenly
_SWAPS = 50  # tries to part two nouns that may not stand together, before the row is drawn anew


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


def draw_tuples(forms: Forms, m: int, before: int, rows: int, offset: float, rng: np.random.Generator) -> np.ndarray:
    """Positions of forms, int64 [rows, m], drawn by mass; `before`: rows of this number before the block.

    The draw is systematic: multiples of the golden ratio, modulo 1, fill the cumulated mass evenly, whichever range
    of them is taken; then the block's draws are shuffled into rows. Rows that name a noun twice, or two synonyms,
    swap members with other rows.
    """
    points = (offset + (before * m + np.arange(rows * m)) * _GOLDEN) % 1.0
    drawn = np.minimum(np.searchsorted(forms.cumulated, points, side="right"), len(forms.texts) - 1)
    drawn = rng.permutation(drawn).reshape(rows, m)
    for row in np.flatnonzero(forms.clash(drawn)).tolist():
        if forms.clash(drawn[row : row + 1])[0] and not _swap(forms, drawn, row, rng):
            drawn[row] = _redraw(forms, m, rng)
    return drawn


def bring_together(forms: Forms, companions: Companions, members: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tuple whose nouns go together: positions of forms, int64 [m], the first is that of `members`, int64 [m].

    Each noun behind the first is a companion of one before it, drawn by mass among those with a form of this number.
    Where there is none, the tuple's own member stays, or another one comes that may stand there.
    """
    chosen = [int(members[0])]
    for own in members[1:].tolist():
        of_companions = (companions.forms(int(forms.nouns[i]), forms) for i in chosen)
        for options in (np.concatenate([*of_companions]), np.array([own]), np.arange(len(forms.texts))):
            if len(fitting := options[_fits(forms, options, chosen)]):
                break
        else:
            return members
        edges = np.cumsum(forms.mass[fitting])
        place = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        chosen.append(int(fitting[min(place, len(fitting) - 1)]))
    return np.array(chosen)


def _fits(forms: Forms, options: np.ndarray, members: list[int]) -> np.ndarray:
    """Which of some forms may stand with the members: bool [options]."""
    return np.isin(forms.meanings[options], forms.meanings[members], invert=True)


def _swap(forms: Forms, drawn: np.ndarray, row: int, rng: np.random.Generator) -> bool:
    """Exchange one member of `row` with another row such that both are sound: no count changes."""
    rows, m = drawn.shape
    for _ in range(_SWAPS):
        other, mine, theirs = int(rng.integers(rows)), int(rng.integers(m)), int(rng.integers(m))
        if other == row:
            continue
        drawn[row, mine], drawn[other, theirs] = drawn[other, theirs], drawn[row, mine]
        if not forms.clash(drawn[[row, other]]).any():
            return True
        drawn[row, mine], drawn[other, theirs] = drawn[other, theirs], drawn[row, mine]
    return False


def _redraw(forms: Forms, m: int, rng: np.random.Generator) -> np.ndarray:
    """A sound tuple drawn member by member: for small lexicons, where swapping finds no partner."""
    for _ in range(_SWAPS):
        members: list[int] = []
        while len(members) < m:
            free = forms.mass * _fits(forms, np.arange(len(forms.mass)), members)
            if not free.any():
                break
            members.append(int(rng.choice(len(free), p=free / free.sum())))
        else:
            return np.array(members)
    raise NounflowError(
        f"M{m} needs {m} nouns of different meaning that have a form of the same number, "
        f"and the {len(set(forms.nouns.tolist()))} nouns that have one lack them",
        where="captions.multiset.texts_per_noun",
        fix=f"take a larger lexicon, or declare only M1 to M{m - 1}",
    )
