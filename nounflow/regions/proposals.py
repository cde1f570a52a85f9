"""Class-agnostic box proposals: any source's boxes, cleaned, cut to a few, and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from PIL import Image

from nounflow.config.regions import PROPOSAL_SOURCES, ProposalsConfig
from nounflow.images import ImageError, open_image
from nounflow.regions.boxes import degenerate, grown, suppressed
from nounflow.regions.image_regions import SCALES
from nounflow.registry import resolve
from nounflow.schemas.boxes import PROPOSALS as BOXES

# An image's boxes stand together, the likeliest object first; there are none of an image without any.
PROPOSALS = pa.schema([*BOXES, ("width", pa.uint32()), ("height", pa.uint32())])  # of the image, pixels
CORNERS = ("x0", "y0", "x1", "y1")


ProposalSource = Callable[[Image.Image, str], tuple[np.ndarray, np.ndarray]]
"""What proposes boxes of an image and its file's name: boxes [n, 4] in pixels and their objectness [n], 0 to 1; any
order, and also boxes that are none. Called in several threads at once."""


@dataclass(frozen=True)
class Proposed:
    """What became of one image."""

    file: str
    width: int = 0
    height: int = 0
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))  # [n, 4]
    objectness: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))  # [n], falling
    dropped: int = 0  # degenerate boxes
    problem: str = ""  # why the image could not be read

    def table(self) -> pl.DataFrame:
        """Rows of `PROPOSALS`."""
        columns = dict(zip(CORNERS, self.boxes.T, strict=True))
        frame = pl.DataFrame({**columns, "objectness": self.objectness})
        return frame.with_columns(file=pl.lit(self.file), width=pl.lit(self.width), height=pl.lit(self.height))


def load_source(config: ProposalsConfig, device: str) -> ProposalSource:
    """The source that the settings name."""
    source: ProposalSource = resolve(PROPOSAL_SOURCES[config.source].load)(config, device)
    return source


def propose(source: ProposalSource, image: Image.Image, file: str, config: ProposalsConfig) -> Proposed:
    """Boxes of one image: within it, no degenerate one, suppressed by overlap, the likeliest objects first.

    Boxes of equal objectness are ordered by their corners, so that the order of the source does not matter.
    """
    boxes, objectness = source(image, file)
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    limits = np.array([image.width, image.height] * 2, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        boxes = np.clip(boxes, 0, limits)
    good = ~degenerate(boxes, config.min_side) & np.isfinite(objectness)
    kept_boxes, kept = boxes[good], np.clip(np.asarray(objectness, dtype=np.float32)[good], 0, 1)
    order = np.lexsort((*kept_boxes.T, -kept))
    kept_boxes, kept = kept_boxes[order], kept[order]
    places = suppressed(kept_boxes, kept, config.nms_iou)[: config.per_image]
    return Proposed(file, image.width, image.height, kept_boxes[places], kept[places], int((~good).sum()))


def propose_files(
    source: ProposalSource, folder: Path, files: list[str], config: ProposalsConfig, threads: int
) -> Iterator[Proposed]:
    """Boxes of the image files of a folder, in their order; an unreadable one has its reason and no box."""

    def one(file: str) -> Proposed:
        try:
            return propose(source, open_image(folder / file), file, config)
        except ImageError as problem:
            return Proposed(file, problem=str(problem))

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(one, files)


def crops(proposals: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """The boxes to embed, rows of the table of proposals: of each image the first `most`, at all scales in turn."""
    parts = []
    for (_, width, height), frame in proposals.group_by("file", "width", "height", maintain_order=True):
        frame = frame[: most or len(frame)]
        boxes = frame.select(CORNERS).to_numpy().astype(np.float32)
        scaled = [boxes, *(grown(boxes, scale, int(width), int(height)) for scale in SCALES[1:])]
        rows = pl.concat([frame] * len(SCALES))
        both = dict(zip(CORNERS, np.concatenate(scaled).T, strict=True))
        order = np.arange(len(rows)).reshape(len(SCALES), -1).T.ravel()
        parts.append(rows.with_columns(**{name: pl.Series(values) for name, values in both.items()})[order])
    return pl.concat([proposals[:0], *parts])
