"""A photograph's regions on the spot: proposals, crops at two scales, vectors. No store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from nounflow.config.regions import ProposalsConfig
from nounflow.embedders.image_files import in_one_shape
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.views import crop
from nounflow.regions.boxes import grown
from nounflow.regions.free_names import NamedBox
from nounflow.regions.image_regions import SCALES, ImageRegions
from nounflow.regions.proposals import ProposalSource, propose
from nounflow.schemas.boxes import coco_annotation


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
    image: Image.Image, file: str, source: ProposalSource, config: ProposalsConfig, embedder: Embedder
) -> ImageRegions | None:
    """The boxes of an upright RGB image and their vectors; None where nothing was proposed."""
    found = propose(source, image, file, config)
    boxes = found.boxes[: config.embedded]
    if not len(boxes):
        return None
    scaled = [boxes, *(grown(boxes, scale, image.width, image.height) for scale in SCALES[1:])]
    crops = [embedder.preprocess(crop(image, box)) for both in zip(*scaled, strict=True) for box in both]
    vectors = in_one_shape(embedder, crops).reshape(len(boxes), len(SCALES), -1)
    return ImageRegions(file, image.width, image.height, boxes, found.objectness[: len(boxes)], vectors)


def as_coco(found: Sequence[FoundRegions]) -> dict[str, object]:
    """Photographs with their named boxes as a data set in COCO's form, for other tools; without those unreadable."""
    found = [photo for photo in found if not photo.problem]
    nouns = sorted({one.noun for photo in found for one in photo.boxes})
    number = {noun: i for i, noun in enumerate(nouns, 1)}
    annotations: list[dict[str, object]] = []
    for image, photo in enumerate(found, 1):
        for one in photo.boxes:
            ids = len(annotations) + 1, image, number[one.noun]
            annotations.append(coco_annotation(*ids, one.box, score=round(one.score, 4)))
    return {
        "images": [
            {"id": i, "file_name": photo.file, "width": photo.width, "height": photo.height}
            for i, photo in enumerate(found, 1)
        ],
        "categories": [{"id": i, "name": noun} for noun, i in number.items()],
        "annotations": annotations,
    }
