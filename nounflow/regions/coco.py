"""Boxes in COCO's JSON: a data set with its images, categories and boxes, and results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nounflow.errors import NounflowError
from nounflow.files import read_json
from nounflow.regions.boxes import degenerate


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


def read_boxes(path: Path) -> TrueBoxes:
    """Read a data set in COCO's form. What is wrong with single boxes is counted in `dropped`, and they are left out.

    Raises:
        NounflowError: it is no such file, or two categories share a name.
    """
    found = read_json(path, "file of boxes", fix="check the path in the config")
    try:
        images = {
            str(one["file_name"]): (int(one["id"]), int(one["width"]), int(one["height"])) for one in found["images"]
        }
        names = tuple(str(one["name"]) for one in found["categories"])
        ids = tuple(int(one["id"]) for one in found["categories"])
        rows = [
            (
                int(one["image_id"]),
                int(one["category_id"]),
                [float(x) for x in one["bbox"]],
                bool(one.get("iscrowd", 0)),
            )
            for one in found["annotations"]
        ]
        corners = np.array([box for _, _, box, _ in rows], dtype=np.float32).reshape(len(rows), 4)
    except (KeyError, TypeError, ValueError) as error:
        raise NounflowError(
            f"The file of boxes has not COCO's form ({type(error).__name__}: {error})",
            where=path,
            fix="it needs images (id, file_name, width, height), categories (id, name) and annotations (image_id, "
            "category_id, bbox as x, y, width, height)",
        ) from None
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise NounflowError(f"Two categories are called {', '.join(twice)}", where=path, fix="join them, or rename one")
    corners[:, 2:] += corners[:, :2]
    file_of = {one[0]: file for file, one in images.items()}
    place = {category: i for i, category in enumerate(ids)}
    bad, dropped = degenerate(corners), dict[str, int]()
    kept: dict[str, list[int]] = {file: [] for file in images}
    for row, (image, category, _, _) in enumerate(rows):
        reason = (
            "a box without an area"
            if bad[row]
            else f"no image has the id {image}"
            if image not in file_of
            else f"no category has the id {category}"
            if category not in place
            else ""
        )
        if reason:
            dropped[reason] = dropped.get(reason, 0) + 1
        else:
            kept[file_of[image]].append(row)
    return TrueBoxes(
        images,
        names,
        ids,
        {file: corners[taken] for file, taken in kept.items()},
        {file: np.array([place[rows[i][1]] for i in taken], dtype=np.int64) for file, taken in kept.items()},
        {file: np.array([rows[i][3] for i in taken], dtype=bool) for file, taken in kept.items()},
        {str(one["file_name"]): str(one["split"]) for one in found["images"] if "split" in one},
        dropped,
    )


def dataset(truth: TrueBoxes, files: Sequence[str], names: Iterable[int]) -> dict[str, Any]:
    """Some images and categories of a data set in COCO's form."""
    wanted, annotations = set(names), list[dict[str, Any]]()
    for file in files:
        image = truth.images[file]
        for box, label, crowd in zip(truth.boxes[file], truth.labels[file].tolist(), truth.crowds[file], strict=True):
            if label in wanted:
                bbox = xywh(box)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image[0],
                        "category_id": truth.category_ids[label],
                        "bbox": bbox,
                        "area": bbox[2] * bbox[3],
                        "iscrowd": int(crowd),
                    }
                )
    sizes = {file: truth.images[file] for file in files}
    return {
        "info": {},
        "images": [{"id": i, "file_name": file, "width": w, "height": h} for file, (i, w, h) in sizes.items()],
        "categories": [{"id": truth.category_ids[i], "name": truth.names[i]} for i in sorted(wanted)],
        "annotations": annotations,
    }


def xywh(box: np.ndarray) -> list[float]:
    """A box [4] as COCO writes it: x, y, width, height."""
    left, top, right, bottom = (float(value) for value in box)
    return [left, top, right - left, bottom - top]
