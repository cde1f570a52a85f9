"""Boxes in COCO's JSON: a data set with its images, categories and boxes, and results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nounflow.errors import NounflowError
from nounflow.regions.boxes import degenerate
from nounflow.schemas.boxes import coco_annotation, coco_parts


@dataclass(frozen=True)
class TrueBoxes:
    """The boxes of an image set; categories are known by their names, whatever their ids."""

    images: Mapping[str, tuple[int, int, int]]  # file -> id, width, height
    names: tuple[str, ...]  # of the categories
    category_ids: tuple[int, ...]  # beside `names`
    boxes: Mapping[str, np.ndarray]  # file -> float32 [n, 4]: x0, y0, x1, y1
    labels: Mapping[str, np.ndarray]  # file -> int64 [n], places in `names`
    crowds: Mapping[str, np.ndarray]  # file -> bool [n]: a box around many, neither found nor missed
    splits: Mapping[str, str] = field(default_factory=dict)  # file -> split, where the images say one
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> boxes left out

    def boxes_of(self, file: str, names: Iterable[int]) -> np.ndarray:
        """An image's boxes of some categories, float32 [n, 4]; none of an image that is not known, and no crowd."""
        if file not in self.boxes:
            return np.zeros((0, 4), dtype=np.float32)
        taken = np.isin(self.labels[file], list(names)) & ~self.crowds[file]
        return np.asarray(self.boxes[file][taken])


def read_boxes(path: Path, files: Iterable[str] = ()) -> TrueBoxes:
    """Read a data set in COCO's form. What is wrong with single boxes is counted in `dropped`, and they are left out.

    Args:
        files: of the image folder, by whose spelling images are named.

    Raises:
        NounflowError: it is no such file, an image has no size, or two categories share a name.
    """
    parts = coco_parts(path, files)
    if small := next((one.file for one in parts.images.values() if one.size is None), None):
        raise NounflowError(
            f"The COCO file does not say how large {small} is", where=path, fix="write width and height of each image"
        )
    names = tuple(parts.categories.values())
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise NounflowError(f"Two categories are called {', '.join(twice)}", where=path, fix="join them, or rename one")
    number = _numbers(parts.images)
    images = dict[str, tuple[int, int, int]]()
    for key, one in parts.images.items():
        images.setdefault(one.file, (number[key], *(one.size or (0, 0))))  # of one that stands twice the first id
    place = {category: i for i, category in enumerate(parts.categories)}
    boxes = [bbox if len(bbox) == 4 else (0.0,) * 4 for _, _, bbox, _ in parts.rows]
    with np.errstate(over="ignore", invalid="ignore"):
        corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        corners = corners.astype(np.float32)
    bad, dropped = degenerate(corners), dict[str, int]()
    kept: dict[str, list[int]] = {file: [] for file in images}
    for row, (image, category, _, _) in enumerate(parts.rows):
        reason = (
            "a box without an area"
            if bad[row]
            else f"no image has the id {image}"
            if image not in parts.images
            else f"no category has the id {category}"
            if category not in place
            else ""
        )
        if reason:
            dropped[reason] = dropped.get(reason, 0) + 1
        else:
            kept[parts.images[image].file].append(row)
    rows = parts.rows
    return TrueBoxes(
        images,
        names,
        tuple(_numbers(parts.categories).values()),
        {file: corners[taken] for file, taken in kept.items()},
        {file: np.array([place[rows[i][1]] for i in taken], dtype=np.int64) for file, taken in kept.items()},
        {file: np.array([rows[i][3] for i in taken], dtype=bool) for file, taken in kept.items()},
        {one.file: one.split for one in parts.images.values() if one.split},
        dropped,
    )


def _numbers(ids: Iterable[str]) -> dict[str, int]:
    """Ids as the whole numbers that COCO wants; counted from 1 where some are none."""
    ids = list(ids)
    whole = all(each.isdecimal() for each in ids) and len(set(map(int, ids))) == len(ids)  # "1" and "01" are two
    return {each: int(each) if whole else i for i, each in enumerate(ids, 1)}


def dataset(truth: TrueBoxes, files: Sequence[str], names: Iterable[int]) -> dict[str, Any]:
    """Some images and categories of a data set in COCO's form."""
    wanted, annotations = set(names), list[dict[str, Any]]()
    for file in files:
        for box, label, crowd in zip(truth.boxes[file], truth.labels[file].tolist(), truth.crowds[file], strict=True):
            if label in wanted:
                ids = len(annotations) + 1, truth.images[file][0], truth.category_ids[label]
                annotations.append(coco_annotation(*ids, box, iscrowd=int(crowd)))
    sizes = {file: truth.images[file] for file in files}
    return {
        "info": {},
        "images": [{"id": i, "file_name": file, "width": w, "height": h} for file, (i, w, h) in sizes.items()],
        "categories": [{"id": truth.category_ids[i], "name": truth.names[i]} for i in sorted(wanted)],
        "annotations": annotations,
    }
