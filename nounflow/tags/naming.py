"""Several nouns for images in memory: their views embedded, then named with a list of labels or without one."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nounflow.embedders.image_files import in_one_shape
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.views import crop, tile_boxes
from nounflow.errors import NounflowError
from nounflow.image_sources import as_image, title_of
from nounflow.images import ImageError
from nounflow.predictors.protocol import Predictor
from nounflow.schemas.tables import read_lexicon
from nounflow.tags.list_free import Tag, candidates, cut, ranked
from nounflow.tags.texts import label_vectors, meanings, repeated

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


def tag_images(
    predictor: Predictor, embedder: Embedder, manifest: Path, images: Iterable[Any], labels: Iterable[str] | None,
    most: int, threshold: float | None,
) -> list[Tagging]:  # fmt: skip
    """See `NounClassifier.tags`; `manifest` is the predictor's, beside which its lexicon is looked for."""
    same = _meanings(predictor, manifest)
    listed = None if labels is None else list(dict.fromkeys(label.strip() for label in labels if label.strip()))
    if listed is not None and not listed:
        raise NounflowError("The list of labels is empty", fix="give nouns, or leave it out")
    if listed and (twice := repeated(listed, same)):
        warnings.warn(f"labels that mean the same: {', '.join(twice[:10])}; both are answered", stacklevel=3)
    known = None if listed is None else (listed, label_vectors(embedder, listed, TEMPLATES))
    found = []
    for source in images:
        try:
            nouns = name_several(predictor, embedder, as_image(source), most, threshold, known, same)
            found.append(Tagging(title_of(source), nouns))
        except ImageError as problem:
            found.append(Tagging(title_of(source), (), str(problem)))
    return found


def _meanings(predictor: Predictor, manifest: Path) -> dict[str, str]:
    """Which nouns mean the same, where the lexicon lies beside the model."""
    path = Path(predictor.manifest.lexicon_path)
    beside = manifest.parent / os.path.relpath(path, "results/models/x")
    return next((meanings(read_lexicon(place)) for place in (path, beside) if place.is_file()), {})
