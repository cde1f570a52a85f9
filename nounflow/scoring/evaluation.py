"""Runs that were judged together, and how they compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nounflow.errors import MismatchError
from nounflow.schemas.documents import Labels, PredictorManifest
from nounflow.scoring.answers import JudgedAnswers, RunAnswers
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.intervals import Estimate, holm, mean_estimate
from nounflow.scoring.measures import prediction_values
from nounflow.scoring.points import Judgements
from nounflow.scoring.results import Comparison
from nounflow.streams import stream


@dataclass(frozen=True)
class ScoredLexicon:
    """What is needed of a lexicon: its name, its nouns' digest, the normal spelling of all its forms."""

    name: str
    digest: str
    forms: frozenset[str]
    entries: Mapping[str, tuple[str, float]] = field(default_factory=dict)  # form -> kind and frequency of its noun


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
    pairs: dict[tuple[str, str], Estimate] = field(default_factory=dict)

    def stream(self, *names: str) -> np.random.Generator:
        return stream(self.seed, *names, self.image_set.name, self.annotator)

    def values(self, run: str) -> np.ndarray:
        return prediction_values(self.judged[run]).worst

    def difference(self, run: str, other: str) -> tuple[float, Estimate]:
        """Prediction score of a run minus another's on the same images, with its paired interval."""
        if run > other:
            value, (low, high, p) = self.difference(other, run)
            return 0.0 - value, Estimate(0.0 - high, 0.0 - low, p)
        _check_same_images(self.answers[run], self.answers[other])
        differences = self.values(run) - self.values(other)
        if (run, other) not in self.pairs:
            self.pairs[run, other] = mean_estimate(differences, self.stream("difference", run, other))
        return float(differences.mean()), self.pairs[run, other]


def compare(evaluation: Evaluation) -> Comparison:
    """Every run against every run, with p-values corrected for the number of pairs."""
    runs = tuple(evaluation.answers)
    pairs = [(i, j) for i in range(len(runs)) for j in range(i)]
    corrected = dict(zip(pairs, holm([evaluation.difference(runs[i], runs[j])[1].p for i, j in pairs]), strict=True))
    size = (len(runs), len(runs))
    difference, low, high, p, p_holm = np.zeros(size), np.zeros(size), np.zeros(size), np.ones(size), np.ones(size)
    for i, j in (*pairs, *((j, i) for i, j in pairs)):
        difference[i, j], (low[i, j], high[i, j], p[i, j]) = evaluation.difference(runs[i], runs[j])
        p_holm[i, j] = corrected[max(i, j), min(i, j)]
    return Comparison(
        image_set=evaluation.image_set.name,
        annotator=evaluation.annotator,
        runs=runs,
        difference=difference.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        p=p.tolist(),
        p_holm=p_holm.tolist(),
    )


def _check_same_images(answer: RunAnswers, other: RunAnswers) -> None:
    if different := sorted(answer.nouns.keys() ^ other.nouns.keys()):
        raise MismatchError(
            f"The runs '{answer.run}' and '{other.run}' were made on different images of '{answer.image_set}': "
            f"{len(different)} are in one only, the first is '{different[0]}'",
            fix="run the predictions stage again for both",
        )
