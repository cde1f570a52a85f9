"""Boxes in images: the table that proposals come in, and COCO's JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nounflow.errors import NounflowError
from nounflow.files import read_json
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
    sizes: dict[str, tuple[int, int]]  # file -> width, height, where given
    labels: tuple[str, ...]  # categories in their order
    boxes: tuple[CocoBox, ...]
    splits: dict[str, str]  # file -> split, where the images say one
    problems: tuple[str, ...] = ()  # what was left out or mended, in words


def read_coco(path: Path) -> CocoSet:
    """Read COCO's detection JSON: `images`, `categories`, `annotations` with `bbox` [x, y, width, height].

    Boxes are cut at the image's edges; what cannot be used is left out and told in `problems`.

    Raises:
        NounflowError: it is no such file.
    """
    value = read_json(path, "COCO file")
    try:
        names = {image["id"]: str(image["file_name"]) for image in value["images"]}
        sizes = {names[i["id"]]: (int(i["width"]), int(i["height"])) for i in value["images"] if "width" in i}
        labels = {category["id"]: str(category["name"]).strip() for category in value["categories"]}
        splits = {str(i["file_name"]): str(i["split"]) for i in value["images"] if "split" in i}
        rows = [(row["image_id"], row["category_id"], tuple(map(float, row["bbox"]))) for row in value["annotations"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NounflowError(
            f"This is no COCO file of boxes ({type(error).__name__}: {error})",
            where=path,
            fix="it needs images (id, file_name), categories (id, name) and annotations (image_id, category_id, bbox)",
        ) from None
    boxes: list[CocoBox] = []
    problems: list[str] = []
    for number, (image, category, bbox) in enumerate(rows):
        if image not in names or category not in labels or len(bbox) != 4:
            problems.append(f"annotation {number}: names an image or a category that the file lacks")
            continue
        box, cut = _cut(bbox, sizes.get(names[image]))
        if box is None:
            problems.append(f"annotation {number}: its box lies outside of {names[image]}; left out")
            continue
        if cut:
            problems.append(f"annotation {number}: its box reaches out of {names[image]}; cut at the edge")
        boxes.append(CocoBox(file=names[image], label=labels[category], box=box))
    if unused := sorted(set(labels.values()) - {box.label for box in boxes}):
        problems.append(f"labels that no box has: {len(unused):,}, such as {unused[0]}")
    return CocoSet(
        files=tuple(names.values()),
        sizes=sizes,
        labels=tuple(labels.values()),
        boxes=tuple(boxes),
        splits=splits,
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
    rows = []
    for number, box in enumerate(boxes, 1):
        x0, y0, x1, y1 = box.box
        bbox = [x0, y0, x1 - x0, y1 - y0]
        rows.append(
            {"id": number, "image_id": image_ids[box.file], "category_id": label_ids[box.label], "bbox": bbox,
             "area": bbox[2] * bbox[3], "iscrowd": 0}
        )  # fmt: skip
    return {
        "info": info,
        "images": [
            {"id": image_ids[file], "file_name": file, "width": width, "height": height, "split": split}
            for file, width, height, split in images
        ],
        "categories": [{"id": number, "name": label} for label, number in label_ids.items()],
        "annotations": rows,
    }
