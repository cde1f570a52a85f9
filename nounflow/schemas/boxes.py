"""Boxes in images: the table that proposals come in, and COCO's JSON."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from nounflow.errors import NounflowError
from nounflow.files import read_json
from nounflow.image_names import ByName, in_folder, listed
from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.tables import read_table

PROPOSALS = pa.schema(  # boxes in pixels of the upright image
    [
        ("file", pa.string()),
        ("x0", pa.float32()),
        ("y0", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("objectness", pa.float32()),
    ]
)


def read_proposals(path: Path, files: Sequence[str]) -> dict[str, np.ndarray]:
    """File -> its boxes float32 [n, 5] (x0, y0, x1, y1, objectness), in the table's order.

    Raises:
        NounflowError: there is no such table, or it names an image that is not among `files`.
    """
    table = read_table(path, PROPOSALS, "table of proposals")
    found = {
        str(file): part.select(PROPOSALS.names[1:]).to_numpy().astype(np.float32)
        for (file,), part in table.partition_by("file", as_dict=True, maintain_order=True).items()
    }
    if strange := sorted(set(found) - set(files)):
        raise NounflowError(
            f"Proposals for images that are not in the folder: {len(strange):,}, such as {strange[0]}",
            where=path,
            fix="delete the table and make it anew from these images",
        )
    return found


class CocoBox(StoredDocument):
    """One object of an image."""

    file: str
    label: str
    box: tuple[float, float, float, float]  # x0, y0, x1, y1


class CocoSet(StoredDocument):
    """A COCO file as it is used here."""

    files: tuple[str, ...]
    labels: tuple[str, ...]  # categories in their order
    boxes: tuple[CocoBox, ...]
    splits: dict[str, str]  # file -> split, where the images say one
    problems: tuple[str, ...] = ()  # what was left out or mended, in words


class CocoImage(NamedTuple):
    """An image of a COCO file."""

    file: str
    size: tuple[int, int] | None  # width, height, where given
    split: str  # empty: it names none


class CocoParts(NamedTuple):
    """What stands in a COCO file; ids are texts, since some tools write them as such here and as numbers there."""

    images: dict[str, CocoImage]
    categories: dict[str, str]
    rows: list[tuple[str, str, tuple[float, ...], bool]]  # image id, category id, numbers of `bbox`, `iscrowd`


def coco_parts(path: Path, files: Iterable[str] = ()) -> CocoParts:
    """Read COCO's detection JSON: `images`, `categories`, `annotations` with `bbox` [x, y, width, height].

    Args:
        files: of the image folder, by whose spelling images are named.

    Raises:
        NounflowError: it is no such file, or an id stands for two things.
    """
    value, there = read_json(path, "COCO file", "check the path in the config"), listed(files)
    try:
        images = [(str(one["id"]), _image(one, there)) for one in value["images"]]
        categories = [(str(one["id"]), _name(one["name"])) for one in value["categories"]]
        rows = [
            (
                *(str(row["image_id"]), str(row["category_id"])),
                *(tuple(map(float, row.get("bbox") or ())), bool(row.get("iscrowd", 0))),
            )
            for row in value["annotations"]
        ]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise NounflowError(
            f"This is no COCO file of boxes ({type(error).__name__}: {error})",
            where=path,
            fix="it needs images (id, file_name, width, height), categories (id, name) and annotations (image_id, "
            "category_id, bbox as x, y, width, height)",
        ) from None
    for what, pairs in (("images", [(key, one.file) for key, one in images]), ("categories", categories)):
        known = dict(pairs)
        if other := next(((key, name) for key, name in pairs if known[key] != name), None):
            raise NounflowError(
                f"Two {what} have the id {other[0]}: {other[1]} and {known[other[0]]}",
                where=path,
                fix="give each an id of its own, in the annotations too",
            )
    return CocoParts(dict(images), dict(categories), rows)


def _image(one: Any, files: ByName[str]) -> CocoImage:
    width, height = one.get("width"), one.get("height")
    size = None if width is None or height is None else (int(width), int(height))
    if size and min(size) < 1:
        raise ValueError(f"an image of {width} x {height} pixels")
    return CocoImage(in_folder(str(one["file_name"]), files), size, str(one.get("split") or ""))


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"a category is called {value!r}")
    return value.strip()


def read_coco(path: Path, files: Iterable[str] = ()) -> CocoSet:
    """Read a COCO file.

    Boxes are cut at the image's edges; what cannot be used is left out and told in `problems`.

    Raises:
        NounflowError: it is no such file.
    """
    images, labels, rows = coco_parts(path, files)
    boxes: list[CocoBox] = []
    problems: list[str] = []
    for number, (image, category, bbox, _) in enumerate(rows):
        if image not in images or category not in labels:
            problems.append(f"annotation {number}: names an image or a category that the file lacks")
            continue
        if len(bbox) != 4 or not all(map(math.isfinite, bbox)):
            problems.append(f"annotation {number}: has no box of four numbers; left out")
            continue
        file, size, _ = images[image]
        box, cut = _cut(bbox, size)
        if box is None:
            problems.append(f"annotation {number}: its box lies outside of {file}; left out")
            continue
        if cut:
            problems.append(f"annotation {number}: its box reaches out of {file}; cut at the edge")
        boxes.append(CocoBox(file=file, label=labels[category], box=box))
    if unused := sorted(set(labels.values()) - {box.label for box in boxes}):
        problems.append(f"labels that no box has: {len(unused):,}, such as {unused[0]}")
    return CocoSet(
        files=tuple(dict.fromkeys(one.file for one in images.values())),
        labels=tuple(labels.values()),
        boxes=tuple(boxes),
        splits={one.file: one.split for one in images.values() if one.split},
        problems=tuple(problems),
    )


def _cut(bbox: Any, size: tuple[int, int] | None) -> tuple[Any, bool]:
    """A box as x0, y0, x1, y1 within the image, None if nothing is left; and whether it was cut."""
    x, y, width, height = bbox
    whole = (x, y, x + width, y + height)
    if size is None:
        return (whole if width > 0 and height > 0 else None), False
    x0, x1 = (min(max(at, 0.0), size[0]) for at in whole[::2])
    y0, y1 = (min(max(at, 0.0), size[1]) for at in whole[1::2])
    box = (x0, y0, x1, y1)
    return (box if x1 > x0 and y1 > y0 else None), max(abs(a - b) for a, b in zip(box, whole, strict=True)) > 0.01


def coco_json(
    images: Sequence[tuple[str, int, int, str]], labels: Sequence[str], boxes: Sequence[CocoBox], info: dict[str, Any]
) -> dict[str, Any]:
    """COCO's JSON of images (file, width, height, split) and their boxes."""
    image_ids = {file: number for number, (file, *_) in enumerate(images, 1)}
    label_ids = {label: number for number, label in enumerate(labels, 1)}
    return {
        "info": info,
        "images": [
            {"id": image_ids[file], "file_name": file, "width": width, "height": height, "split": split}
            for file, width, height, split in images
        ],
        "categories": [{"id": number, "name": label} for label, number in label_ids.items()],
        "annotations": [
            coco_annotation(number, image_ids[box.file], label_ids[box.label], box.box)
            for number, box in enumerate(boxes, 1)
        ],
    }


def coco_annotation(number: int, image: int, category: int, box: Iterable[float], **further: Any) -> dict[str, Any]:
    """An object as COCO writes it, from its box x0, y0, x1, y1."""
    bbox = xywh(box)
    area = bbox[2] * bbox[3]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": bbox,
        "area": area,
        "iscrowd": 0,
        **further,
    }


def xywh(box: Iterable[float]) -> list[float]:
    """A box x0, y0, x1, y1 as COCO writes it: x, y, width, height."""
    left, top, right, bottom = map(float, box)
    return [left, top, right - left, bottom - top]
