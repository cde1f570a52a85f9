"""Which nouns a text of M2, M3, ... names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nounflow.captions.companions import Companions
from nounflow.captions.forms import CaptionLexicon, Forms
from nounflow.errors import NounflowError

_GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, fill the unit interval evenly
_SWAPS = 50  # tries to part two nouns that may not stand together, before the row is drawn anew


@dataclass(frozen=True)
class Population:
    """The forms of one number to draw tuples from."""

    lexicon: CaptionLexicon
    forms: Forms
    mass: np.ndarray  # float64 [forms]: noun weight x form share
    cumulated: np.ndarray  # float64 [forms]: up to 1

    @classmethod
    def of(cls, lexicon: CaptionLexicon, forms: Forms) -> Population:
        """All forms of a number."""
        mass = lexicon.weights[forms.nouns] * forms.shares
        return cls(lexicon, forms, mass, np.cumsum(mass) / max(mass.sum(), 1e-300))


def draw_tuples(
    population: Population, m: int, before: int, rows: int, offset: float, rng: np.random.Generator
) -> np.ndarray:
    """Positions of forms, int64 [rows, m], by noun weight x form share; `before`: rows of this number before the block.

    The draw is systematic: multiples of the golden ratio, modulo 1, fill the cumulated mass evenly, whichever range
    of them is taken; then the block's draws are shuffled into rows. Rows that name a noun twice, or two synonyms,
    swap members with other rows.
    """
    lexicon, forms = population.lexicon, population.forms
    points = (offset + (before * m + np.arange(rows * m)) * _GOLDEN) % 1.0
    drawn = np.minimum(np.searchsorted(population.cumulated, points, side="right"), len(forms.nouns) - 1)
    drawn = rng.permutation(drawn).reshape(rows, m)
    for row in np.flatnonzero(lexicon.clashes(forms.nouns[drawn])).tolist():
        if _clashes(population, drawn[row]) and not _swap(population, drawn, row, rng):
            drawn[row] = _redraw(population, m, rng)
    return drawn


def bring_together(
    population: Population, companions: Companions, members: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A tuple whose nouns go together: positions of forms, int64 [m], the first is that of `members`, int64 [m].

    Each noun behind the first is a companion of one before it, drawn by noun weight x form share among those with a
    form of this number. Where there is none, the tuple's own member stays, or another one comes that may stand there.
    """
    nouns = population.forms.nouns
    chosen = [int(members[0])]
    for own in members[1:].tolist():
        options = np.concatenate([companions.forms(int(nouns[i]), population.forms) for i in chosen])
        options = options[_fits(population, options, chosen)]
        if not len(options):
            options = np.array([own])[_fits(population, np.array([own]), chosen)]
        if not len(options):
            options = np.flatnonzero(_fits(population, np.arange(len(nouns)), chosen))
        if not len(options):
            return members
        edges = np.cumsum(population.mass[options])
        place = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        chosen.append(int(options[min(place, len(options) - 1)]))
    return np.array(chosen)


def _fits(population: Population, options: np.ndarray, members: list[int]) -> np.ndarray:
    """Which of some forms may stand with the members: bool [options]."""
    nouns = population.forms.nouns
    fits = np.ones(len(options), dtype=bool)
    for i in members:
        fits &= ~population.lexicon.clashes(np.stack([nouns[options], np.full(len(options), nouns[i])], axis=1))
    return fits


def _clashes(population: Population, members: np.ndarray) -> bool:
    return bool(population.lexicon.clashes(population.forms.nouns[members][None])[0])


def _swap(population: Population, drawn: np.ndarray, row: int, rng: np.random.Generator) -> bool:
    """Exchange one member of `row` with another row such that both are sound: no count changes."""
    rows, m = drawn.shape
    for _ in range(_SWAPS):
        other, mine, theirs = int(rng.integers(rows)), int(rng.integers(m)), int(rng.integers(m))
        if other == row:
            continue
        drawn[row, mine], drawn[other, theirs] = drawn[other, theirs], drawn[row, mine]
        if not _clashes(population, drawn[row]) and not _clashes(population, drawn[other]):
            return True
        drawn[row, mine], drawn[other, theirs] = drawn[other, theirs], drawn[row, mine]
    return False


def _redraw(population: Population, m: int, rng: np.random.Generator) -> np.ndarray:
    """A sound tuple drawn member by member: for small lexicons, where swapping finds no partner."""
    for _ in range(_SWAPS):
        members: list[int] = []
        while len(members) < m:
            free = population.mass * _fits(population, np.arange(len(population.mass)), members)
            if not free.any():
                break
            members.append(int(rng.choice(len(free), p=free / free.sum())))
        else:
            return np.array(members)
    raise NounflowError(
        f"M{m} needs {m} nouns of different meaning that have a form of the same number, "
        f"and the lexicon of {len(population.lexicon)} nouns lacks them",
        where="captions.multiset.texts_per_noun",
        fix=f"take a larger lexicon, or declare only M1 to M{m - 1}",
    )
