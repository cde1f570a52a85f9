"""A photograph's regions on the spot: proposals, crops at two scales, vectors. No store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nounflow.config.regions import FusionConfig, ProposalsConfig
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.views import crop
from nounflow.open_set.gate import Gate
from nounflow.predictors.protocol import Predictor
from nounflow.regions.boxes import grown
from nounflow.regions.coco import xywh
from nounflow.regions.free_names import NamedBox, answer_of, name_boxes
from nounflow.regions.image_regions import SCALES, ImageRegions
from nounflow.regions.proposals import ProposalSource, load_source, propose

_BATCH = 32  # crops computed together


@dataclass(frozen=True)
class FoundRegions:
    """What is where in one photograph; `problem` says why nothing could be looked for."""

    file: str
    width: int = 0
    height: int = 0
    boxes: tuple[NamedBox, ...] = ()  # best score first
    problem: str = ""

    def as_dict(self) -> dict[str, object]:
        """As JSON: boxes as x0, y0, x1, y1 in pixels of the upright photograph."""
        return {
            "file": self.file,
            "width": self.width,
            "height": self.height,
            "regions": [
                {
                    "box": [round(value, 1) for value in one.box],
                    "noun": one.noun,
                    "probability": round(one.probability, 4),
                    "objectness": round(one.objectness, 4),
                    "score": round(one.score, 4),
                }
                for one in self.boxes
            ],
            "problem": self.problem,
        }


def image_regions(
    image: Image.Image,
    file: str,
    source: ProposalSource,
    config: ProposalsConfig,
    preprocess: Callable[[Image.Image], np.ndarray],
    encode: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> ImageRegions | None:
    """The boxes of an image and their vectors; None where nothing was proposed.

    Args:
        preprocess, encode: of the embedder; see `Embedder`.
    """
    found = propose(source, image, file, config)
    boxes = found.boxes[: config.embedded]
    if not len(boxes):
        return None
    scaled = [boxes, *(grown(boxes, scale, image.width, image.height) for scale in SCALES[1:])]
    crops = [preprocess(crop(image, box)) for both in zip(*scaled, strict=True) for box in both]
    vectors = np.concatenate([encode(crops[i : i + _BATCH]) for i in range(0, len(crops), _BATCH)])
    vectors = vectors.reshape(len(boxes), len(SCALES), -1)
    return ImageRegions(file, image.width, image.height, boxes, found.objectness[: len(boxes)], vectors)


def as_coco(found: Sequence[FoundRegions]) -> dict[str, object]:
    """Photographs with their named boxes as a data set in COCO's form, for other tools; without those unreadable."""
    found = [photo for photo in found if not photo.problem]
    nouns = sorted({one.noun for photo in found for one in photo.boxes})
    number = {noun: i for i, noun in enumerate(nouns, 1)}
    annotations: list[dict[str, object]] = []
    for image, photo in enumerate(found, 1):
        for one in photo.boxes:
            bbox = xywh(np.array(one.box))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": number[one.noun],
                    "bbox": bbox,
                    "area": bbox[2] * bbox[3],
                    "iscrowd": 0,
                    "score": round(one.score, 4),
                }
            )
    return {
        "images": [
            {"id": i, "file_name": photo.file, "width": photo.width, "height": photo.height}
            for i, photo in enumerate(found, 1)
        ],
        "categories": [{"id": i, "name": noun} for noun, i in number.items()],
        "annotations": annotations,
    }


class RegionFinder:
    """Finds and names what is in photographs, with a predictor and its embedder."""

    def __init__(
        self,
        predictor: Predictor,
        embedder: Embedder,
        proposals: ProposalsConfig,
        fusion: FusionConfig,
        min_probability: float,
        groups: Mapping[str, str],
        gate: Gate | None = None,
    ) -> None:
        """
        Args:
            min_probability: of a noun that is kept.
            groups: noun -> what it shares with its synonyms.
            gate: says of each box and its nouns whether to believe it; None: all pass.
        """
        self._source = load_source(proposals, embedder.device)
        self._embedder, self._proposals, self._fusion, self._least = embedder, proposals, fusion, min_probability
        self._answer = answer_of(predictor, gate)
        self._groups = groups

    def __call__(self, image: Image.Image, file: str) -> FoundRegions:
        """The boxes of an upright RGB image that keep a name."""
        embedder = self._embedder
        found = image_regions(image, file, self._source, self._proposals, embedder.preprocess, embedder.encode_images)
        boxes = name_boxes(found, self._answer, self._groups, self._fusion, self._least) if found else []
        return FoundRegions(file, image.width, image.height, tuple(boxes))
