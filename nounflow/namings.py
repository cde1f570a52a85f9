"""The answer for an image, and how a predictor's answers become it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nounflow.predictors.broader import HYPERNYMS, chain_of, hypernyms_of, merged_synonyms
from nounflow.predictors.calibrating import calibrated, read_calibration
from nounflow.schemas.documents import read_document
from nounflow.schemas.hypernyms import AnswerCalibration, NounHypernyms
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


@dataclass(frozen=True)
class AnswerReader:
    """Turns a predictor's answers into namings: calibrated, synonyms merged, with the chain of hypernyms."""

    hypernyms: NounHypernyms | None  # and synonyms; None: nothing is known of them
    same: dict[str, str]  # noun of the lexicon -> the group that it shares with its synonyms
    calibration: AnswerCalibration | None
    merge: bool = False  # synonyms are one answer

    @classmethod
    def of(cls, manifest_path: Path, manifest: PredictorManifest, use_calibration: bool) -> AnswerReader:
        """For a model.

        Raises:
            NounflowError: what lies beside the model is damaged.
        """
        hypernyms = find_hypernyms(manifest_path, manifest)
        same = dict(zip(manifest.nouns, hypernyms.groups, strict=True)) if hypernyms else {}
        return cls(hypernyms, same, read_calibration(manifest_path, manifest) if use_calibration else None)

    def synonyms(self, names: Sequence[str]) -> frozenset[str]:
        """Canonical forms of names, and of the lexicon's nouns that are their synonyms."""
        wanted = {canon(name) for name in names}
        groups = {group for noun, group in self.same.items() if canon(noun) in wanted}
        return frozenset(wanted | {canon(noun) for noun, group in self.same.items() if group in groups})

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
        if self.merge and self.hypernyms:
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
