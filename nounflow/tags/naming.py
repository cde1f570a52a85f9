"""Several nouns for images in memory: their views embedded, then named with a list of labels or without one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nounflow.embedders.image_files import in_one_shape
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.views import crop, tile_boxes
from nounflow.open_set.gate import Gate
from nounflow.predictors.protocol import Predictor
from nounflow.schemas.documents import read_document
from nounflow.schemas.tags import BASELINE, FREE, GATED, TagScores
from nounflow.tags.list_free import Tag, candidates, cut, ranked
from nounflow.tags.scores import best_local
from nounflow.tags.texts import LabelList, NounVectors

BEST = 2  # local scores of a noun that are averaged
NOUNS = 1  # that each view puts forward


@dataclass(frozen=True)
class BoxedNoun:
    """A noun of an image, its score, and the part of the image that speaks most for it; None: the whole."""

    noun: str
    score: float
    box: tuple[float, float, float, float] | None  # x0, y0, x1, y1 in pixels of the upright image
    by: str = ""  # the noun of the lexicon whose score it is, where a label of a list is above it: cat, of animal


@dataclass(frozen=True)
class Tagging:
    """The nouns of one image, best first; `problem` says why it could not be read."""

    file: str
    nouns: tuple[BoxedNoun, ...]
    problem: str = ""
    alike: tuple[str, ...] = ()  # labels of the list that stand there twice, or mean the same, in words

    def as_dict(self) -> dict[str, object]:
        """As JSON: boxes as x0, y0, x1, y1 in pixels of the upright image, null for the whole."""
        nouns = [
            {
                "noun": each.noun,
                "by": each.by,
                "score": round(each.score, 4),
                "box": each.box and [round(value, 1) for value in each.box],
            }
            for each in self.nouns
        ]
        return {"file": self.file, "nouns": nouns, "alike": list(self.alike), "problem": self.problem}


@dataclass(frozen=True)
class Tagger:
    """A run, its embedder and what is needed to name several things.

    `same`: noun -> what it means; of nouns of one meaning the most probable stays. `gate`: of views without a list.
    """

    predictor: Predictor
    embedder: Embedder
    vectors_of: NounVectors
    same: Mapping[str, str]
    gate: Gate | None = None

    def __call__(
        self, image: Image.Image, labels: LabelList | None, most: int, threshold: float | None
    ) -> tuple[BoxedNoun, ...]:
        """The nouns of one image, best first.

        Args:
            labels: None: what the predictor says of the image and its tiles.
            threshold: least score of all but the first; None: none.
        """
        whole, local, boxes = view_vectors(self.embedder, image)
        if labels is None:
            found = candidates(self.predictor, whole[None], local[None], NOUNS, self.same, self.gate)
            tags, spoke = ranked(found, whole[None], local[None], BEST, self.vectors_of)[0], dict[str, str]()
        else:
            tags, spoke = self._of_list(labels, whole, local)
        kept = cut([tags], -np.inf if threshold is None else threshold, most)[0]
        return tuple(
            BoxedNoun(
                tag.noun, tag.score, tuple(boxes[tag.box - 1].tolist()) if tag.box else None, spoke.get(tag.noun, "")
            )
            for tag in kept
        )

    def _of_list(self, labels: LabelList, whole: np.ndarray, local: np.ndarray) -> tuple[list[Tag], dict[str, str]]:
        """All labels, best first, and which other noun's score one has: the largest of those that speak for it."""
        vectors = self.vectors_of(labels.texts)
        one, many = whole @ vectors.T, local @ vectors.T  # [texts], [units, texts]
        scores = 0.5 * (one + best_local(many[None], BEST)[0])
        tags, spoke = [], {}
        for label, rows in zip(labels.labels, labels.rows, strict=True):
            best = int(rows[scores[rows].argmax()])
            box = 1 + int(many[:, best].argmax()) if many[:, best].max() > one[best] else 0
            tags.append(Tag(label, float(scores[best]), 0.0, box))
            if best != rows[0]:
                spoke[label] = labels.texts[best]
        return sorted(tags, key=lambda tag: -tag.score), spoke


def view_vectors(embedder: Embedder, image: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The whole image [dim], its 13 tiles [13, dim], and their boxes [13, 4]."""
    boxes = tile_boxes(*image.size)
    parts = [image, *(crop(image, box) for box in boxes)]
    vectors = in_one_shape(embedder, [embedder.preprocess(part) for part in parts])
    return vectors[0], vectors[1:], boxes[:, :4]


def calibrated_threshold(manifest: Path, spec: str, listed: bool, gated: bool) -> float | None:
    """The threshold that `results/tags.json` beside a model has for it, of the first set; None: it has none."""
    path = manifest.parents[2] / "tags.json" if len(manifest.parents) > 2 else manifest
    if manifest.parent.parent.name != "models" or not path.is_file():
        return None
    method = BASELINE if listed else f"{manifest.parent.name}: {GATED if gated else FREE}"
    rows = read_document(TagScores, path, "scores of several nouns").rows
    own = (row.figures.get("threshold") for row in rows if (row.method, row.embedder) == (method, spec))
    return next(own, None)
