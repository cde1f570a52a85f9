"""Runs that were judged together: what their scores are computed from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from nounflow.errors import MismatchError
from nounflow.predictor_kinds import is_baseline
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.scoring.answers import JudgedAnswers, Judgements
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.intervals import Estimate, mean_estimate
from nounflow.scoring.values import first_correct, prediction_values
from nounflow.streams import stream


@dataclass(frozen=True)
class ScoredRun:
    """A trained or indexed predictor and the lexicon it answers from."""

    manifest: PredictorManifest
    lexicon: str  # its name
    entries: Mapping[str, tuple[str, float]]  # normal spelling of each form -> kind and frequency of its noun


@dataclass(frozen=True)
class Evaluation:
    """All runs on one image set under one annotator."""

    image_set: str
    labels: Mapping[str, Labels]  # by image; none where the set has no labels
    annotator: str
    table: Judgements
    runs: Mapping[str, ScoredRun]
    judged: dict[str, JudgedAnswers]  # by run, sorted
    hierarchy: Hierarchy | None
    seed: int
    sentences: Mapping[str, np.ndarray] = field(default_factory=dict)  # text -> unit vector; empty: not asked for
    by_language_model: bool = False  # who judged
    pairs: dict[tuple[str, str], Estimate] = field(default_factory=dict)

    def stream(self, *names: str) -> np.random.Generator:
        """Random numbers for one purpose."""
        return stream(self.seed, *names, self.image_set, self.annotator)

    @property
    def wordnet(self) -> Hierarchy:
        """The hierarchy, where there is one."""
        assert self.hierarchy is not None
        return self.hierarchy

    def any_judged(self, run: str) -> bool:
        """Is one of the run's first nouns judged?"""
        return bool(self.judged[run].first_judged.any())

    def claims(self, run: str) -> tuple[np.ndarray, np.ndarray]:
        """The run's probability of each judged first noun, float64, and whether that noun is right, bool."""
        judged = self.judged[run]
        return judged.probability[judged.first_judged], first_correct(judged)[judged.first_judged]

    def labelled(self, run: str) -> Iterator[tuple[tuple[str, ...], Labels]]:
        """A run's nouns (none where it gave no answer) and the label of each labelled image, in the order of images."""
        judged, labels = self.judged[run], self.labels
        rows = zip(judged.images, judged.nouns, strict=True)
        return ((nouns, labels[image]) for image, nouns in rows if image in labels)

    def baseline(self, run: str) -> str | None:
        """The baseline with this run's lexicon and embedder; of several, the first by name. A baseline has none."""
        own = self.runs[run].manifest
        if is_baseline(own.predictor):
            return None
        for other in self.judged:
            made = self.runs[other].manifest
            alike = (made.lexicon, made.embedder.digest) == (own.lexicon, own.embedder.digest)
            if alike and is_baseline(made.predictor):
                return other
        return None

    def difference(self, run: str, other: str) -> tuple[float, Estimate]:
        """Prediction score of a run minus another's on the same images, with its paired interval."""
        if run > other:
            value, (low, high, p) = self.difference(other, run)
            return 0.0 - value, Estimate(0.0 - high, 0.0 - low, p)
        one, two = self.judged[run], self.judged[other]
        if different := sorted({*one.images} ^ {*two.images}):
            raise MismatchError(
                f"The runs '{run}' and '{other}' were made on different images of '{self.image_set}': "
                f"{len(different)} are in one only, the first is '{different[0]}'",
                fix="run the predictions stage again for both",
            )
        differences = prediction_values(one).worst - prediction_values(two).worst
        if (run, other) not in self.pairs:
            self.pairs[run, other] = mean_estimate(differences, self.stream("difference", run, other))
        return float(differences.mean()), self.pairs[run, other]
