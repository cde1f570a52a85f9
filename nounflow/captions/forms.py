"""The written forms of a lexicon's nouns, ready to be drawn and put into texts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from nounflow.errors import MismatchError
from nounflow.text import with_article


@dataclass(frozen=True)
class Forms:
    """All forms of one number, noun after noun; arrays and lists run parallel."""

    texts: tuple[str, ...]
    with_articles: tuple[str, ...]  # plurals: the same as `texts`
    nouns: np.ndarray  # int64, noun id of each form
    shares: np.ndarray  # float64, share of the form in its noun's use
    starts: np.ndarray  # int64 [nouns + 1], where each noun's forms begin

    def of(self, noun: int) -> range:
        """Positions of one noun's forms."""
        return range(self.starts[noun], self.starts[noun + 1])


@dataclass(frozen=True)
class CaptionLexicon:
    """What text making needs of a lexicon; noun id = position."""

    keys: tuple[str, ...]
    weights: np.ndarray  # float64 [nouns]
    singular: Forms
    plural: Forms
    meanings: np.ndarray  # int64 [nouns], a number for each first synset: synonyms have the same

    @classmethod
    def of(cls, nouns: pl.DataFrame) -> CaptionLexicon:
        """Gather the forms of a table of schema `NOUNS`.

        Raises:
            MismatchError: ids that are not the row numbers, a weight that is not above 0, or a noun without forms.
        """
        weights = nouns["weight"].cast(pl.Float64).to_numpy()
        singular, plural = _forms(nouns, "singular"), _forms(nouns, "plural")
        used = np.zeros(len(nouns))
        for forms in (singular, plural):
            np.add.at(used, forms.nouns, forms.shares)
        bad = ~((weights > 0) & (used > 0) & np.isfinite(weights * used))
        bad |= nouns["id"].to_numpy() != np.arange(len(nouns))
        if bad.any():
            row = nouns.row(int(np.flatnonzero(bad)[0]), named=True)
            raise MismatchError(
                f"{bad.sum()} nouns of the lexicon have no usable form, weight or id, the first is '{row['noun']}'",
                where=f"id {row['id']}, weight {row['weight']}, forms {row['singulars']} and {row['plurals']}",
                fix="delete the lexicon and run the nouns stage again",
            )
        meanings = nouns.select(pl.coalesce(pl.col("synsets").list.first(), "key").rank("dense")).to_series()
        return cls(tuple(nouns["key"]), weights, singular, plural, meanings.cast(pl.Int64).to_numpy())

    def __len__(self) -> int:
        return len(self.keys)

    def plural_shares(self) -> np.ndarray:
        """Share of plural forms in each noun's use: float64 [nouns]."""
        total = np.zeros(len(self))
        plural = np.zeros(len(self))
        np.add.at(plural, self.plural.nouns, self.plural.shares)
        np.add.at(total, self.singular.nouns, self.singular.shares)
        return plural / (total + plural)

    def clashes(self, tuples: np.ndarray) -> np.ndarray:
        """Which rows of noun ids [rows, m] name a noun twice, or two synonyms: bool [rows]."""
        found = np.zeros(len(tuples), dtype=bool)
        for a, b in combinations(self.meanings[tuples].T, 2):
            found |= a == b
        return found


def _forms(nouns: pl.DataFrame, number: str) -> Forms:
    """Forms with a share above 0, the commonest of each noun first."""
    texts: list[str] = []
    owners: list[int] = []
    shares: list[float] = []
    starts = [0]
    for i, (forms, form_shares) in enumerate(
        zip(nouns[f"{number}s"].to_list(), nouns[f"{number}_shares"].to_list(), strict=True)
    ):
        pairs = [(share, form) for form, share in zip(forms or (), form_shares or (), strict=True) if share > 0]
        for share, form in sorted(pairs, key=lambda pair: -pair[0]):
            texts.append(form)
            owners.append(i)
            shares.append(share)
        starts.append(len(texts))
    articled = tuple(map(with_article, texts)) if number == "singular" else tuple(texts)
    return Forms(
        tuple(texts),
        articled,
        np.asarray(owners, dtype=np.int64),
        np.asarray(shares, dtype=np.float64),
        np.asarray(starts, dtype=np.int64),
    )
