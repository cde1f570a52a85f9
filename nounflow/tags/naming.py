"""Several nouns for images in memory: their views embedded, then named with a list of labels or without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nounflow.embedders.image_files import in_one_shape
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.views import crop, tile_boxes
from nounflow.predictors.protocol import Predictor
from nounflow.tags.list_free import Tag, candidates, cut, ranked
from nounflow.tags.texts import label_vectors

TEMPLATES = ("{}", "a photo of a {}.", "There is a {} in the scene.")
BEST = 2  # local scores of a noun that are averaged
NOUNS = 1  # that each view puts forward


@dataclass(frozen=True)
class BoxedNoun:
    """A noun of an image, its score, and the part of the image that speaks most for it; None: the whole."""

    noun: str
    score: float
    box: tuple[float, float, float, float] | None  # x0, y0, x1, y1 in pixels of the upright image


@dataclass(frozen=True)
class Tagging:
    """The nouns of one image, best first; `problem` says why there are none."""

    file: str
    nouns: tuple[BoxedNoun, ...]
    problem: str = ""


def view_vectors(embedder: Embedder, image: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The whole image [dim], its 13 tiles [13, dim], and their boxes [13, 4]."""
    boxes = tile_boxes(*image.size)
    parts = [image, *(crop(image, box) for box in boxes)]
    vectors = in_one_shape(embedder, [embedder.preprocess(part) for part in parts])
    return vectors[0], vectors[1:], boxes[:, :4]


def name_several(
    predictor: Predictor, embedder: Embedder, image: Image.Image, most: int, threshold: float | None,
    labels: tuple[Sequence[str], np.ndarray] | None, same: Mapping[str, str] | None = None,
) -> tuple[BoxedNoun, ...]:  # fmt: skip
    """The nouns of one image, best first.

    Args:
        threshold: least score of all but the first; None: none.
        labels: a list and its unit vectors [labels, dim]; None: what the predictor says of the image and its tiles.
        same: noun -> what it means, see `candidates`.
    """
    whole, local, boxes = view_vectors(embedder, image)
    if labels is None:
        found = candidates(predictor, whole[None], local[None], NOUNS, same)
        tags = ranked(found, whole[None], local[None], BEST, lambda nouns: label_vectors(embedder, nouns, TEMPLATES))
    else:
        names, vectors = labels
        one, many = whole @ vectors.T, local @ vectors.T
        scores = 0.5 * (one + -np.sort(-many, axis=0)[:BEST].mean(axis=0))
        from_tile = many.max(axis=0) > one
        tags = [
            [
                Tag(name, float(scores[i]), 0.0, 1 + int(many[:, i].argmax()) if from_tile[i] else 0)
                for i, name in sorted(enumerate(names), key=lambda each: -scores[each[0]])
            ]
        ]
    kept = cut(tags, -np.inf if threshold is None else threshold, most)[0]
    return tuple(
        BoxedNoun(tag.noun, tag.score, tuple(boxes[tag.box - 1].tolist()) if tag.box else None) for tag in kept
    )
