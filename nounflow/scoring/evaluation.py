"""Runs that were judged together: what their scores are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nounflow.errors import MismatchError
from nounflow.predictor_kinds import is_baseline
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.scoring.answers import JudgedAnswers, Judgements, RunAnswers
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.intervals import Estimate, mean_estimate
from nounflow.scoring.values import first_correct, prediction_values
from nounflow.streams import stream


@dataclass(frozen=True)
class ScoredLexicon:
    """What is needed of a lexicon."""

    name: str
    digest: str  # of its nouns
    entries: Mapping[str, tuple[str, float]]  # normal spelling of each form -> kind and frequency of its noun


@dataclass(frozen=True)
class ScoredRun:
    """A trained or indexed predictor and the lexicon it answers from."""

    manifest: PredictorManifest
    lexicon: ScoredLexicon


@dataclass(frozen=True)
class ImageSet:
    """An image set's labels; empty if it has none."""

    name: str
    labels: Mapping[str, Labels]


@dataclass(frozen=True)
class Evaluation:
    """All runs on one image set under one annotator."""

    image_set: ImageSet
    annotator: str
    table: Judgements
    runs: Mapping[str, ScoredRun]
    answers: dict[str, RunAnswers]  # by run, sorted
    judged: dict[str, JudgedAnswers]
    hierarchy: Hierarchy | None
    seed: int
    sentences: Mapping[str, np.ndarray] = field(default_factory=dict)  # text -> unit vector; empty: not asked for
    by_language_model: bool = False  # who judged
    pairs: dict[tuple[str, str], Estimate] = field(default_factory=dict)

    def stream(self, *names: str) -> np.random.Generator:
        """Random numbers for one purpose."""
        return stream(self.seed, *names, self.image_set.name, self.annotator)

    def any_judged(self, run: str) -> bool:
        """Is one of the run's first nouns judged?"""
        return bool(self.judged[run].first_judged.any())

    def claims(self, run: str) -> tuple[np.ndarray, np.ndarray]:
        """The run's probability of each judged first noun, float64, and whether that noun is right, bool."""
        judged = self.judged[run]
        known = judged.first_judged
        images = (image for image, one in zip(judged.images, known, strict=True) if one)
        probability = np.array([self.answers[run].probability[image] for image in images])
        return probability, first_correct(judged)[known]

    def baseline(self, run: str) -> str | None:
        """The baseline with this run's lexicon and embedder; of several, the first by name. A baseline has none."""
        own = self.runs[run].manifest
        if is_baseline(own.predictor):
            return None
        manifests = ((other, self.runs[other].manifest) for other in self.answers)
        found = [
            other
            for other, manifest in manifests
            if is_baseline(manifest.predictor)
            and (manifest.lexicon, manifest.embedder.digest) == (own.lexicon, own.embedder.digest)
        ]
        return min(found, default=None)

    def difference(self, run: str, other: str) -> tuple[float, Estimate]:
        """Prediction score of a run minus another's on the same images, with its paired interval."""
        if run > other:
            value, (low, high, p) = self.difference(other, run)
            return 0.0 - value, Estimate(0.0 - high, 0.0 - low, p)
        _check_same_images(self.answers[run], self.answers[other])
        differences = self._points(run) - self._points(other)
        if (run, other) not in self.pairs:
            self.pairs[run, other] = mean_estimate(differences, self.stream("difference", run, other))
        return float(differences.mean()), self.pairs[run, other]

    def _points(self, run: str) -> np.ndarray:
        return prediction_values(self.judged[run]).worst


def _check_same_images(answer: RunAnswers, other: RunAnswers) -> None:
    if different := sorted(answer.nouns.keys() ^ other.nouns.keys()):
        raise MismatchError(
            f"The runs '{answer.run}' and '{other.run}' were made on different images of '{answer.image_set}': "
            f"{len(different)} are in one only, the first is '{different[0]}'",
            fix="run the predictions stage again for both",
        )
