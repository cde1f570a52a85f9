"""The written forms of a lexicon's nouns, ready to be drawn and put into texts."""

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations

import numpy as np
import polars as pl

from nounflow.errors import MismatchError
from nounflow.schemas.tables import countability_of
from nounflow.text import counted, word_set

_SIZES = word_set("large small tiny huge big")


@dataclass(frozen=True)
class Forms:
    """All forms of one number, noun after noun; arrays and lists run parallel."""

    texts: tuple[str, ...]
    countability: tuple[str, ...]  # of each form's noun; "plural" for plurals
    nouns: np.ndarray  # int64, noun id of each form
    shares: np.ndarray  # float64, share of the form in its noun's use
    mass: np.ndarray  # float64, share x weight of the noun
    meanings: np.ndarray  # int64, a number for each meaning: synonyms have the same
    starts: np.ndarray  # int64 [nouns + 1], where each noun's forms begin

    def of(self, noun: int) -> range:
        """Positions of one noun's forms."""
        return range(self.starts[noun], self.starts[noun + 1])

    def phrases(self, lead: str) -> tuple[str, ...]:
        """All forms behind the lead of a template: "", "a" (or an, or some), "a large" (or "a large amount of")."""
        if lead not in self._phrases:
            self._phrases[lead] = tuple(map(partial(_phrase, lead), self.texts, self.countability))
        return self._phrases[lead]

    @cached_property
    def _phrases(self) -> dict[str, tuple[str, ...]]:
        return {"": self.texts}

    @cached_property
    def cumulated(self) -> np.ndarray:
        """Share of the mass up to each form: float64, the last is 1."""
        cumulated: np.ndarray = np.cumsum(self.mass) / max(self.mass.sum(), 1e-300)
        return cumulated

    def clash(self, tuples: np.ndarray) -> np.ndarray:
        """Which rows of positions of forms [rows, m] name a noun twice, or two synonyms: bool [rows]."""
        found = np.zeros(len(tuples), dtype=bool)
        for a, b in combinations(self.meanings[tuples].T, 2):
            found |= a == b
        return found


@dataclass(frozen=True)
class CaptionLexicon:
    """What text making needs of a lexicon; noun id = position."""

    keys: tuple[str, ...]
    weights: np.ndarray  # float64 [nouns]
    singular: Forms
    plural: Forms
    plural_shares: np.ndarray  # float64 [nouns], share of plural forms in each noun's use

    @classmethod
    def of(cls, nouns: pl.DataFrame) -> "CaptionLexicon":
        """Gather the forms of a table of schema `LEXICON`.

        Raises:
            MismatchError: ids that are not the row numbers, a weight that is not above 0, or a noun without forms.
        """
        weights = nouns["weight"].cast(pl.Float64).to_numpy()
        meanings = nouns.select(pl.coalesce(pl.col("synsets").list.first(), "key").rank("dense")).to_series().to_numpy()
        singular, plural = (_forms(nouns, number, weights, meanings) for number in ("singular", "plural"))
        ones, many = (np.bincount(forms.nouns, forms.shares, len(nouns)) for forms in (singular, plural))
        used = ones + many
        bad = ~((weights > 0) & (used > 0) & np.isfinite(weights * used))
        bad |= nouns["id"].to_numpy() != np.arange(len(nouns))
        if bad.any():
            row = nouns.row(int(np.flatnonzero(bad)[0]), named=True)
            raise MismatchError(
                f"{bad.sum()} nouns of the lexicon have no usable form, weight or id, the first is '{row['noun']}'",
                where=f"id {row['id']}, weight {row['weight']}, forms {row['singulars']} and {row['plurals']}",
                fix="delete the lexicon and run the nouns stage again",
            )
        return cls(tuple(nouns["key"]), weights, singular, plural, many / used)

    def __len__(self) -> int:
        return len(self.keys)


def _forms(nouns: pl.DataFrame, number: str, weights: np.ndarray, meanings: np.ndarray) -> Forms:
    """Forms with a share above 0, the commonest of each noun first."""
    columns = nouns.select(form=f"{number}s", share=f"{number}_shares").with_row_index("noun")
    used = columns.explode("form", "share").filter(pl.col("share") > 0)
    used = used.sort("noun", "share", descending=[False, True], maintain_order=True)
    uses = ["plural"] * len(nouns) if number == "plural" else countability_of(nouns)
    texts, owners = tuple(used["form"]), used["noun"].cast(pl.Int64).to_numpy()
    shares = used["share"].cast(pl.Float64).to_numpy()
    return Forms(
        texts,
        tuple(uses[noun] for noun in owners.tolist()),
        owners,
        shares,
        weights[owners] * shares,
        meanings[owners].astype(np.int64),
        np.searchsorted(owners, np.arange(len(nouns) + 1)),
    )


def _phrase(lead: str, noun: str, countability: str) -> str:
    if lead == "a":
        return counted(noun, countability)
    if countability in ("mass", "both"):
        _, quality = lead.split(" ", 1)
        return f"{lead} amount of {noun}" if quality in _SIZES else f"some {quality} {noun}"
    return f"{lead} {noun}"
