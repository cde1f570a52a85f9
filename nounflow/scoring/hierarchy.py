"""What WordNet's hierarchy says of two nouns: how near they are, whether they are one thing, how specific one is.

Information content (Resnik 1995) of a synset is -log of the share of noun use that falls below it, with the use that
the lexicons record; nearness is Lin's (1998): 2 IC(nearest common ancestor) / (IC(a) + IC(b)), between 0 and 1.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field, TypeAdapter, ValidationError

from nounflow.errors import NounflowError
from nounflow.files import read_json
from nounflow.schemas.labels import Labels
from nounflow.senses import WordSenses
from nounflow.text import canon
from nounflow.wordnet import WordNet

_OVERRIDES = TypeAdapter(dict[str, Annotated[float, Field(strict=True, ge=0, le=1)]])
COARSE = 0.5  # factor of a coarse noun in the overall score (NOVIC paper, section 4.2)


class Hierarchy:
    """WordNet with the frequencies of the lexicons poured in."""

    def __init__(
        self,
        wordnet: WordNet,
        tables: Iterable[pl.DataFrame],
        coarse_from: int = 30,
        overrides: Mapping[str, float] | None = None,
    ) -> None:
        """
        Args:
            tables: the lexicons; of a noun in several the first counts.
            coarse_from: a noun is coarse if WordNet has at least so many kinds of it.
            overrides: noun -> specificity factor, in place of that rule.
        """
        tables = list(tables)
        words = WordSenses(wordnet, tables)
        self._wordnet = words.wordnet  # with what a supplement added
        # ids of the synsets that the lexicons chose for a noun; of an unknown one all that WordNet has, maybe none
        self.senses = functools.lru_cache(maxsize=1 << 16)(words.synsets)
        self._coarse_from = coarse_from
        self._overrides = {canon(noun): factor for noun, factor in (overrides or {}).items()}
        frequencies: dict[str, float] = {}
        for table in tables:
            for name, frequency in table.select("canon", "frequency").iter_rows():
                frequencies.setdefault(name, frequency)
        self._below, self._floor = self._pour(frequencies)
        self._whole = sum(frequencies.values()) + self._floor

    def information(self, synset: str) -> float:
        """Information content of a synset; the root has 0, one that no lexicon uses the most."""
        return -math.log((self._below.get(synset, 0.0) + self._floor) / self._whole) + 0.0

    @functools.lru_cache(maxsize=1 << 18)  # noqa: B019 - lives as long as the scorer
    def nearness(self, one: tuple[str, ...], other: tuple[str, ...]) -> float:
        """Lin's similarity of the nearest pair of senses; 0 without senses."""
        return max((self._lin(a, b) for a in one for b in other), default=0.0)

    def nearness_to_label(self, noun: str, labels: Labels) -> float:
        """1 for the label itself or an accepted noun, in spelling or sense; else the nearest one's nearness."""
        if _is_named(noun, labels):
            return 1.0
        return self.nearness(self.senses(noun), self._meant(labels))

    def overlap(self, noun: str, labels: Labels) -> tuple[float, float]:
        """Shares of the noun's and of the label's synsets (each with all above it) that both have; 1, 1 for the label.

        Of several senses, and of the label and what is accepted, the pair with the greatest harmonic mean.
        """
        if _is_named(noun, labels):
            return 1.0, 1.0
        found = [self._overlap(own, other) for own in self.senses(noun) for other in self._meant(labels)]
        return max(found, key=lambda pair: 2 * pair[0] * pair[1] / max(1e-9, sum(pair)), default=(0.0, 0.0))

    def _meant(self, labels: Labels) -> tuple[str, ...]:
        """Senses of the label, which may say which, and of what is accepted."""
        gold = (self._wordnet.by_sense_key(labels.sense).id,) if labels.sense else self.senses(labels.gold)
        return (*gold, *(sense for name in labels.accepted for sense in self.senses(name)))

    @functools.lru_cache(maxsize=1 << 18)  # noqa: B019
    def _overlap(self, one: str, other: str) -> tuple[float, float]:
        above, beside = self._wordnet.ancestors(one).keys(), self._wordnet.ancestors(other).keys()
        shared = len(above & beside)
        return shared / len(above), shared / len(beside)

    def same(self, noun: str, other: str) -> bool:
        """Are two nouns names of one thing: do they share a sense?"""
        return not self._identity(noun).isdisjoint(self._identity(other))

    @functools.lru_cache(maxsize=1 << 16)  # noqa: B019
    def _identity(self, noun: str) -> frozenset[str]:
        return frozenset((canon(noun), *self.senses(noun)))

    def lexname(self, noun: str, sense: str = "") -> str:
        """WordNet class of a noun's first sense, or of the sense given: "animal"; empty if WordNet lacks it."""
        senses = (self._wordnet.by_sense_key(sense).id,) if sense else self.senses(noun)
        return self._wordnet.synsets[senses[0]].lexname if senses else ""

    @functools.lru_cache(maxsize=1 << 16)  # noqa: B019
    def specificity(self, noun: str) -> float:
        """1 for a specific noun, COARSE for one that says little: no noun at all, or the name of many kinds."""
        if (given := self._overrides.get(canon(noun))) is not None:
            return given
        senses = self.senses(noun)
        if not canon(noun) or not senses:
            return 1.0 if canon(noun) else COARSE
        kinds = sum(1 for _ in self._wordnet.descendants(senses[0])) - 1
        return COARSE if kinds >= self._coarse_from else 1.0

    def _lin(self, a: str, b: str) -> float:
        if a == b:
            return 1.0
        shared = self._wordnet.ancestors(a).keys() & self._wordnet.ancestors(b).keys()
        if not shared:
            return 0.0
        both = self.information(a) + self.information(b)
        return 2 * max(map(self.information, shared)) / both if both > 0 else 0.0

    def _pour(self, frequencies: Mapping[str, float]) -> tuple[dict[str, float], float]:
        """Frequency at or below each synset, and the floor that stands for unseen use: half the rarest noun's.

        A noun's frequency is shared equally among its senses.
        """
        floor = min((frequency for frequency in frequencies.values() if frequency > 0), default=1.0) / 2
        below: dict[str, float] = {}
        for noun, frequency in frequencies.items():
            senses = self.senses(noun)
            for sense in senses:
                for ancestor in self._wordnet.ancestors(sense):
                    below[ancestor] = below.get(ancestor, 0.0) + frequency / len(senses)
        return below, floor


def _is_named(noun: str, labels: Labels) -> bool:
    return canon(noun) in {canon(name) for name in (labels.gold, *labels.accepted)}


def read_overrides(path: Path) -> dict[str, float]:
    """A specificity file: flat JSON, noun -> factor between 0 and 1."""
    fix = 'write flat JSON such as {"animal": 0.5, "robin": 1}'
    try:
        return _OVERRIDES.validate_python(read_json(path, "specificity file", fix))
    except ValidationError:
        raise NounflowError(
            "The specificity file holds something else than nouns with factors from 0 to 1", where=path, fix=fix
        ) from None
