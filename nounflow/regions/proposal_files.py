"""Proposals that another program has made: COCO JSON, or parquet with file, x0, y0, x1, y1, objectness."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nounflow.config.regions import ProposalsConfig
from nounflow.errors import NounflowError
from nounflow.files import read_json
from nounflow.image_names import ByName, same_name
from nounflow.schemas.boxes import PROPOSALS
from nounflow.schemas.tables import read_table


def load(config: ProposalsConfig, _device: str) -> "ProposalsOfFile":
    """The boxes of the file that the settings name.

    Raises:
        NounflowError: it cannot be read, has another form, or its objectness is none.
    """
    path = Path(config.file or "")
    if path.suffix == ".parquet":
        rows = _grouped(read_table(path, PROPOSALS, "table of proposals").drop_nulls("file").iter_rows())
    else:
        rows = _of_json(path)
    for boxes in rows.values():
        if (strange := boxes[(boxes[:, 4] < 0) | (boxes[:, 4] > 1), 4]).size:
            raise NounflowError(
                f"Objectness goes from 0 to 1; a proposal has {strange[0]:g}",
                where=path,
                fix="divide percentages by 100, and put logits through a sigmoid",
            )
    return ProposalsOfFile(rows)


def _of_json(path: Path) -> ByName[np.ndarray]:
    found = read_json(path, "file of proposals", fix="check regions.proposals.file")
    try:
        return _grouped(_coco_rows(found))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise NounflowError(
            f"The file of proposals has not COCO's form ({type(error).__name__}: {error})",
            where=path,
            fix="it needs images and annotations, or a list of image_id or file_name, bbox and score",
        ) from None


def _coco_rows(found: Any) -> Iterator[tuple[Any, ...]]:
    """File, or image id, and x0, y0, x1, y1, objectness of each box; without a score the objectness is 1."""
    images = {one["id"]: one["file_name"] for one in found["images"]} if isinstance(found, dict) else {}
    for one in found["annotations"] if isinstance(found, dict) else found:
        left, top, width, height = map(float, one["bbox"])
        file = one.get("file_name") or images.get(one.get("image_id"), one.get("image_id"))
        if file is None:
            raise ValueError("a box names no image")
        yield str(file), left, top, left + width, top + height, float(one.get("score", 1.0))


def _grouped(rows: Iterable[tuple[Any, ...]]) -> ByName[np.ndarray]:
    groups: dict[str, list[Any]] = {}
    for file, *row in rows:
        groups.setdefault(same_name(file), []).append(row)
    return ByName({file: np.array(found, dtype=np.float32) for file, found in groups.items()})


class ProposalsOfFile:
    """See `ProposalSource`; an image that the file does not know has no boxes."""

    def __init__(self, rows: ByName[np.ndarray]) -> None:
        self._rows = rows
        self.ids: Mapping[str, int] | None = None  # of the images in the data set, where there is one

    def __call__(self, _image: Image.Image, file: str) -> tuple[np.ndarray, np.ndarray]:
        found = self._rows.get(file)
        if found is None:
            found = self._rows.get(self._id(file), np.zeros((0, 5), dtype=np.float32))
        return found[:, :4], found[:, 4]

    def _id(self, file: str) -> str:
        """What a list of results calls an image: its id in the data set, else the number that ends its name."""
        if self.ids is not None:
            return str(self.ids.get(file, ""))
        number = re.search(r"(\d+)\.\w+$", file)  # 000000000139.jpg has the id 139
        return str(int(number[1])) if number else ""
