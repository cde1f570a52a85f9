"""ImageNet-1K: class names by WordNet id, and the label files that go round with its flat validation folder."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.files import package_folder, text_encoding

WORDNET_ID = re.compile(r"n\d{8}")
_CELLS = re.compile(r"[\s,]+")


@functools.cache
def class_names() -> dict[str, str]:
    """WordNet id -> class name as open_clip writes it, 1,000 in the usual order. Two names stand for two ids each."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    ids = (package_folder("timm", "timm") / "data/_info/imagenet_synsets.txt").read_text(encoding="utf-8").split()
    return dict(zip(ids, IMAGENET_CLASSNAMES, strict=True))


def read_flat_labels(path: Path, images: Sequence[str]) -> dict[str, str]:
    """Image -> WordNet id, for a folder that holds all images side by side.

    A line is a file name (with or without its ending) and a WordNet id or a number from 0 to 999 in the order of
    WordNet ids; or, with one line for each image in the order of names, a WordNet id alone. Cells are separated by
    spaces, tabs or commas, and further cells are passed over.

    Raises:
        NounflowError: a line that says no class, or an image that no line names.
    """
    try:
        lines = path.read_text(encoding=text_encoding(path)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(f"The label file cannot be read ({error})", where=path, fix="check `labels`") from None
    rows = [(number, _CELLS.split(line.strip())) for number, line in enumerate(lines, 1) if line.strip()]
    if rows and rows[0][1][0].lower() == "imageid":  # the header of Kaggle's file
        rows = rows[1:]
    if rows and all(len(cells) == 1 for _, cells in rows):
        return _in_order(path, rows, images)
    found = {Path(cells[0]).stem: _wordnet_id(path, number, cells[1]) for number, cells in rows if len(cells) > 1}
    labels = {image: found[Path(image).stem] for image in images if Path(image).stem in found}
    if missing := [image for image in images if image not in labels]:
        raise NounflowError(
            f"{len(missing):,} of {len(images):,} images have no line in the label file, {missing[0]} for one",
            where=path,
            fix="take the label file of this very folder",
        )
    return labels


def _in_order(path: Path, rows: Sequence[tuple[int, list[str]]], images: Sequence[str]) -> dict[str, str]:
    for number, (cell,) in rows:
        if not WORDNET_ID.fullmatch(cell):
            raise NounflowError(
                "A line of a bare number is refused: in the devkit's file numbers follow an order of their own, "
                "in others that of WordNet ids, and nothing tells them apart",
                where=f"{path}, line {number}: {cell}",
                fix="use a file with a name and a WordNet id (n01440764) on each line, or sort the images into folders",
            )
    if len(rows) != len(images):
        raise NounflowError(
            f"The label file has {len(rows):,} lines for {len(images):,} images, and names none of them",
            where=path,
            fix="use a file with a name and a WordNet id on each line",
        )
    return {image: _wordnet_id(path, number, cells[0]) for image, (number, cells) in zip(images, rows, strict=True)}


def _wordnet_id(path: Path, line: int, cell: str) -> str:
    names = class_names()
    if cell in names:
        return cell
    if cell.isdecimal() and int(cell) < len(names):
        return list(names)[int(cell)]
    raise NounflowError(
        f"'{cell}' is no class of ImageNet-1K",
        where=f"{path}, line {line}",
        fix="write a WordNet id (n01440764), or a number from 0 to 999 in the order of WordNet ids",
    )
