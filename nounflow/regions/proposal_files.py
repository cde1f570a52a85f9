"""Proposals that another program has made: COCO JSON, or parquet with file, x0, y0, x1, y1, objectness."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nounflow.config.regions import ProposalsConfig
from nounflow.errors import NounflowError
from nounflow.files import read_json
from nounflow.image_names import ByName, same_name
from nounflow.regions.proposals import CORNERS
from nounflow.schemas.boxes import PROPOSALS
from nounflow.schemas.tables import read_table


def load(config: ProposalsConfig, _device: str) -> "ProposalsOfFile":
    """The boxes of the file that the settings name.

    Raises:
        NounflowError: it cannot be read, or has another form.
    """
    path = Path(config.file or "")
    if path.suffix == ".parquet":
        frame = read_table(path, PROPOSALS, "table of proposals")
        numbers = frame.select(*CORNERS, "objectness").to_numpy()
        rows = zip(frame["file"].to_list(), numbers.astype(np.float32), strict=True)
        return ProposalsOfFile(_grouped(rows))
    found = read_json(path, "file of proposals", fix="check regions.proposals.file")
    try:
        return ProposalsOfFile(_grouped(_coco_rows(found)))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise NounflowError(
            f"The file of proposals has not COCO's form ({type(error).__name__}: {error})",
            where=path,
            fix="it needs images and annotations, or a list of image_id or file_name, bbox and score",
        ) from None


def _coco_rows(found: Any) -> Iterator[tuple[str, np.ndarray]]:
    """File, or image id, and x0, y0, x1, y1, objectness of each box; without a score the objectness is 1."""
    images = {one["id"]: one["file_name"] for one in found["images"]} if isinstance(found, dict) else {}
    for one in found["annotations"] if isinstance(found, dict) else found:
        left, top, width, height = map(float, one["bbox"])
        file = one.get("file_name") or images.get(one.get("image_id"), one.get("image_id"))
        if file is None:
            raise ValueError("a box names no image")
        corners = [left, top, left + width, top + height, float(one.get("score", 1.0))]
        yield str(file), np.array(corners, dtype=np.float32)


def _grouped(rows: Any) -> ByName[np.ndarray]:
    groups: dict[str, list[np.ndarray]] = {}
    for file, row in rows:
        groups.setdefault(same_name(file), []).append(row)
    return ByName({file: np.stack(found) for file, found in groups.items()})


class ProposalsOfFile:
    """See `ProposalSource`; an image that the file does not know has no boxes."""

    def __init__(self, rows: ByName[np.ndarray]) -> None:
        self._rows = rows

    def __call__(self, _image: Image.Image, file: str) -> tuple[np.ndarray, np.ndarray]:
        number = re.search(r"(\d+)\.\w+$", file)  # 000000000139.jpg has the id 139
        key = file if file in self._rows or number is None else str(int(number[1]))
        found = self._rows.get(key, np.zeros((0, 5), dtype=np.float32))
        return found[:, :4], found[:, 4]
