"""Negatives: nouns of a lexicon that are unlike all known ones (NegLabel, Jiang et al. 2024).

A noun is as close to the known ones as the 0.95-quantile of its cosines to them; the least close share is kept and
dealt into groups. All are nouns: the original takes adjectives as well, which a lexicon here has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from nounflow.config.open_set import NegativesConfig
from nounflow.streams import stream

_CELLS = 1 << 24  # cosines held at a time


def closeness(candidates: np.ndarray, known: np.ndarray, quantile: float) -> np.ndarray:
    """How close each candidate [m, dim] is to the known nouns [known, dim], float32 [m]; rows are unit vectors."""
    rows = max(1, _CELLS // len(known))
    place = quantile * (len(known) - 1)
    low, part = int(place), place - int(place)
    found = [np.zeros(0, dtype=np.float32)]
    for start in range(0, len(candidates), rows):
        cosines = candidates[start : start + rows] @ known.T
        ends = sorted({low, min(low + 1, len(known) - 1)})
        cosines.partition(ends, axis=1)
        found.append(cosines[:, ends[0]] * (1 - part) + cosines[:, ends[-1]] * part)
    return np.concatenate(found)


def choose_negatives(
    candidates: np.ndarray, known: np.ndarray, allowed: np.ndarray, settings: NegativesConfig, seed: int
) -> np.ndarray:
    """Rows of the negatives, int64, dealt into `settings.groups` groups of neighbours by `seed`.

    Args:
        candidates: float32 [m, dim], unit rows.
        known: float32 [known, dim], unit rows.
        allowed: bool [m]; false for what is known itself.
    """
    rows = np.flatnonzero(allowed)
    count = min(settings.most, max(1, int(settings.share * len(rows)))) if len(rows) else 0
    far = np.argsort(closeness(candidates[rows], known, settings.quantile), kind="stable")[:count]
    return np.asarray(stream(seed, "open set", "negatives").permutation(rows[far]))


def no_kinds(above: Sequence[Sequence[str]], names: Sequence[bool], known: Iterable[str]) -> np.ndarray:
    """Which nouns are neither the name of a single thing nor the same as, or a kind of, something known: bool [nouns].

    WordNet's instance flag and hyponymy say exactly what NegRefine (ICCV 2025) asks a language model for.

    Args:
        above: of each noun, the synsets of its first meaning and of all above it.
        names: of each noun, whether it is an instance.
        known: synsets of the known nouns.
    """
    synsets = set(known)
    return np.array([not name and synsets.isdisjoint(ids) for ids, name in zip(above, names, strict=True)], dtype=bool)
