"""Regions without a list: a predictor names each box; boxes that mean the same are joined; lists are matched after.

A free name is scored against a list of labels by the softmax of 100 times the cosines of their text vectors
(GenerateU, CVPR 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nounflow.config.regions import FusionConfig
from nounflow.open_set.gate import TOP_K, Gate, believed
from nounflow.predictors.protocol import Predictor
from nounflow.regions.boxes import suppressed
from nounflow.regions.detection import similarities
from nounflow.regions.image_regions import ImageRegions
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.tables import lexicon_digest, read_lexicon

_LABEL_TEMPERATURE = 0.01


@dataclass(frozen=True)
class NamedBox:
    """A box of an image with its free name."""

    row: int  # among the image's boxes
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels
    noun: str
    probability: float
    objectness: float

    @property
    def score(self) -> float:
        """Geometric mean of the noun's probability and the objectness."""
        return float(np.sqrt(self.probability * self.objectness))


Answer = Callable[[np.ndarray], tuple[list[str], np.ndarray, np.ndarray]]  # vectors -> nouns, probabilities, accepted


def name_boxes(
    image: ImageRegions,
    answer: Answer,
    groups: Mapping[str, str],
    config: FusionConfig,
    min_probability: float = 0.0,
) -> list[NamedBox]:
    """The boxes of an image that keep a name, best score first.

    Of overlapping boxes whose nouns mean the same the best stays, with its own noun.

    Args:
        answer: the noun of each vector [n, dim], its probability, and whether a gate lets it pass.
        groups: noun -> what it shares with its synonyms; a noun that is not there stands for itself.
    """
    if not len(image.boxes):
        return []
    nouns, probabilities, accepted = answer(image.combined())
    taken = np.flatnonzero(accepted & (probabilities >= min_probability) & (np.array(nouns) != ""))
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(groups.get(nouns[i], nouns[i]), len(numbers)) for i in taken], dtype=np.int64)
    scores = np.sqrt(probabilities[taken] * image.objectness[taken])
    kept = taken[suppressed(image.boxes[taken], scores, config.nms_iou, group)[: config.most]]
    return [
        NamedBox(int(i), tuple(image.boxes[i].tolist()), nouns[i], float(probabilities[i]), float(image.objectness[i]))
        for i in kept
    ]


def label_scores(named: Sequence[NamedBox], vectors: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Scores of named boxes for the labels of a list, [n, labels]: the box's own score times the labels' softmax.

    Args:
        vectors: noun -> unit text vector [dim].
        labels: unit text vectors [labels, dim].
    """
    if not named:
        return np.zeros((0, len(labels)))
    texts = np.stack([vectors[one.noun] for one in named])
    own = np.array([one.score for one in named])
    return np.asarray(own[:, None] * similarities(texts, labels, _LABEL_TEMPERATURE))


def answer_of(predictor: Predictor, gate: Gate | None = None) -> Answer:
    """A predictor's first noun of each vector; without a gate all pass."""

    def answer(vectors: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
        found = predictor.answer(vectors, min(TOP_K if gate else 1, predictor.width))
        return [row[0] for row in found.texts], found.probabilities[:, 0], believed(gate, vectors, found.texts)

    return answer


def lexicon_groups(manifest: PredictorManifest) -> dict[str, str]:
    """Noun -> the first synset, which its synonyms share; none where the model's lexicon is not here (any more)."""
    path = Path(manifest.lexicon_path)
    if not path.is_file():
        return {}
    table = read_lexicon(path)
    if lexicon_digest(table["noun"].to_list()) != manifest.lexicon:
        return {}
    return dict(table.select("noun", "group").drop_nulls().iter_rows())
