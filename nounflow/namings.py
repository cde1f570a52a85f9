"""The answer for an image, and how a predictor's answers become it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nounflow.predictors.broader import HYPERNYMS, chain_of, hypernyms_of, merged_synonyms
from nounflow.predictors.calibrating import calibrated, read_calibration
from nounflow.schemas.documents import read_document
from nounflow.schemas.hypernyms import NounHypernyms
from nounflow.schemas.models import PredictorManifest
from nounflow.tags.texts import texts_of
from nounflow.text import canon

if TYPE_CHECKING:
    from nounflow.open_set.gate import Verdict
    from nounflow.predictors.protocol import Answers

CANDIDATES = 10  # nouns of an image between which probability is shared


@dataclass(frozen=True)
class Naming:
    """The answer for one image; `problem` says why there is none."""

    file: str  # the image's path, else its file object's name, else nothing
    nouns: tuple[str, ...]
    probabilities: tuple[float, ...]
    problem: str = ""
    verdict: Verdict | None = None  # of the classifier's gate, where it has one
    chain: tuple[tuple[str, float], ...] = ()  # ever broader and likelier names, each with the sum of all below
    unknown: tuple[str, ...] = ()  # those of the nouns that are not in the model's lexicon

    def sure(self, confidence: float) -> tuple[str, float] | None:
        """The most specific name whose probability reaches `confidence`: "dog" where the breed is not sure.

        Where nothing is known of what lies above the first noun, it is that noun or none.
        """
        names = self.chain or tuple(zip(self.nouns[:1], self.probabilities, strict=False))
        return next(((name, found) for name, found in names if found >= confidence), None)


def distinct_nouns(nouns: Iterable[str]) -> list[str]:
    """The nouns of a list (`texts_of`), each once, in its order."""
    return list(dict.fromkeys(texts_of(nouns)))


class AnswerReader:
    """Turns a predictor's answers into namings: calibrated, synonyms merged, with the chain of hypernyms."""

    def __init__(self, manifest_path: Path, manifest: PredictorManifest, use_calibration: bool) -> None:
        """
        Raises:
            NounflowError: what lies beside the model is damaged.
        """
        self.hypernyms = find_hypernyms(manifest_path, manifest)
        self._nouns = manifest.nouns
        self.calibration = read_calibration(manifest_path, manifest) if use_calibration else None
        self._merge = False

    @property
    def knows_synonyms(self) -> bool:
        """Whether the lexicon's groups and hypernyms are at hand."""
        return self.hypernyms is not None

    @property
    def merges(self) -> bool:
        """Whether synonyms are one answer."""
        return self._merge

    @functools.cached_property
    def same(self) -> dict[str, str]:
        """Noun -> the group that it shares with its synonyms; none where nothing is known of them."""
        return dict(zip(self._nouns, self.hypernyms.groups, strict=True)) if self.hypernyms else {}

    def merging(self) -> AnswerReader:
        """The same, with synonyms as one answer."""
        other = AnswerReader.__new__(AnswerReader)
        other.__dict__ = self.__dict__ | {"_merge": True}
        return other

    def synonyms(self, names: Sequence[str], nouns: Sequence[str]) -> frozenset[str]:
        """Canonical forms of names, and of the lexicon's nouns that are their synonyms."""
        wanted = {canon(name) for name in names}
        if self.hypernyms is None:
            return frozenset(wanted)
        groups = {group for noun, group in zip(nouns, self.hypernyms.groups, strict=True) if canon(noun) in wanted}
        same = (noun for noun, group in zip(nouns, self.hypernyms.groups, strict=True) if group in groups)
        return frozenset(wanted | {canon(noun) for noun in same})

    def namings(self, answers: Answers, top_k: int) -> list[Naming]:
        """`top_k` nouns of each image; `answers` should hold `CANDIDATES`, if there are so many."""
        probabilities = answers.probabilities.astype(np.float64)
        if self.calibration:
            probabilities = calibrated(
                probabilities, self.calibration.weight, self.calibration.none, self.calibration.candidates
            )
        rows = zip(answers.texts, answers.nouns.tolist(), probabilities.tolist(), strict=True)
        return [self._naming(texts, nouns, found, top_k) for texts, nouns, found in rows]

    def _naming(self, texts: list[str], nouns: list[int], probabilities: list[float], top_k: int) -> Naming:
        kept = [place for place, text in enumerate(texts) if text]  # the others stayed empty
        texts, nouns = [texts[i] for i in kept], [nouns[i] for i in kept]
        probabilities = [probabilities[i] for i in kept]
        first = nouns[:CANDIDATES], probabilities[:CANDIDATES]  # however many are asked for
        chain = chain_of(self.hypernyms, *first) if self.hypernyms else ()
        if self._merge and self.hypernyms:
            places, probabilities = merged_synonyms(self.hypernyms, nouns, probabilities)
            texts, nouns = [texts[i] for i in places], [nouns[i] for i in places]
        texts, nouns = texts[:top_k], nouns[:top_k]
        unknown = tuple(text for text, noun in zip(texts, nouns, strict=True) if noun < 0)
        return Naming("", tuple(texts), tuple(probabilities[:top_k]), chain=chain, unknown=unknown)


def find_hypernyms(manifest_path: Path, manifest: PredictorManifest) -> NounHypernyms | None:
    """Of the model's folder, else of the lexicon in the project that the model lies in, if it is still the same."""
    if (stored := manifest_path.parent / HYPERNYMS).is_file():
        found = read_document(NounHypernyms, stored, "hypernyms of a model")
        return found if len(found.groups) == len(manifest.nouns) else None
    projects = (manifest_path.resolve().parents[i] for i in (3, 2, 1) if len(manifest_path.resolve().parents) > i)
    for project in projects:
        if (lexicon := project / manifest.lexicon_path).is_file():
            from nounflow.schemas.tables import read_lexicon

            table = read_lexicon(lexicon)
            return hypernyms_of(table) if tuple(table["noun"].to_list()) == manifest.nouns else None
    return None
