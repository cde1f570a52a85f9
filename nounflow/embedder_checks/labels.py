"""Label files of check sets, and captions that stand beside images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.spreadsheets import write_sheet


def write_labels(path: Path, labels: Mapping[str, str]) -> None:
    """A label file (`nounflow.schemas.labels`) of image -> noun.

    Raises:
        NounflowError: a name that the file cannot hold.
    """
    for image, noun in labels.items():
        if any(mark in image + noun for mark in "\t\r\n") or ";" in noun or image != image.strip() or not noun.strip():
            raise NounflowError(
                "A file or class name cannot have a tab, a line break or a space at its end, nor a class name a ;",
                where=f"{image!r}: {noun!r}",
                fix="rename it, or give the class another name under `classes`",
            )
    write_sheet(path, ("file", "gold"), labels.items(), exact=True)


def captions_beside(folder: Path, images: Sequence[str]) -> dict[str, str]:
    """Image -> first line of the .txt file beside it that has its name; images without one are left out."""
    captions = {}
    for image in images:
        path = (folder / image).with_suffix(".txt")
        if not path.is_file():
            continue
        with open(path, encoding="utf-8", errors="replace") as handle:
            if line := handle.readline().strip():
                captions[image] = line
    return captions
