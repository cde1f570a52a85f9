"""Which of several labels are true of which image: +1 present, -1 absent, 0 nothing is known."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nounflow.errors import NounflowError
from nounflow.image_names import plain_name
from nounflow.schemas.boxes import read_coco
from nounflow.streams import unit_hash

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("file", "present", "unknown", "split")
_VAL = 0.2  # of the images of a file without splits
_NUS_LABELS, _NUS_IMAGES = "Concepts81.txt", "Imagelist.txt"  # of NUS-WIDE as it is published


@dataclass(frozen=True)
class TagLabels:
    """The truth of a set of images."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    values: np.ndarray  # int8 [files, labels]
    splits: tuple[str, ...]  # of each file: train, val, test
    seen: frozenset[str]  # labels that may be trained on
    problems: tuple[str, ...] = ()  # what was left out or mended, in words

    def rows(self, split: str) -> np.ndarray:
        """Positions of a split's files, int64."""
        return np.flatnonzero(np.array(self.splits) == split)

    def columns(self, *, seen: bool) -> np.ndarray:
        """Positions of the seen labels, or of the others, int64."""
        return np.flatnonzero(np.array([(label in self.seen) == seen for label in self.labels]))


def read_tag_labels(path: Path, there: Sequence[str], seen: Path | None = None) -> TagLabels:
    """Read COCO JSON, CSV or TSV (file, present, and if wanted unknown, split; labels separated by ;), or the folder of
    NUS-WIDE.

    Of a file without splits a fifth of the images, by a hash of their names, is val, the rest test.

    Args:
        there: the images that there are; others of the file are left out and told.
        seen: file with the labels that may be trained on; None: those present in train.

    Raises:
        NounflowError: it is no such file, or none of its images is there.
    """
    if path.is_dir():
        files, present, unknown, splits, labels = _read_nus(path)
        problems: list[str] = []
    elif path.suffix.lower() == ".json":
        coco = read_coco(path)
        files, labels, problems = list(coco.files), list(coco.labels), list(coco.problems)
        present = {file: set[str]() for file in files}
        for box in coco.boxes:
            present[box.file].add(box.label)
        unknown, splits = {}, dict(coco.splits)
    else:
        files, present, unknown, splits = _read_table(path)
        labels, problems = sorted(set().union(*present.values())), []
    known, twice = set(there), [label for label, n in Counter(labels).items() if n > 1]
    kept = [file for file in dict.fromkeys(files) if file in known]
    if missing := len(set(files)) - len(kept):
        problems.append(f"images that are missing from the folder: {missing:,}")
    if twice:
        problems.append(f"labels that are listed twice: {', '.join(twice)}; each counts once")
    labels = list(dict.fromkeys(labels))
    if not kept or not labels:
        raise NounflowError(
            "No image of the label file is in the folder" if not kept else "The label file names no labels",
            where=path,
            fix="name files as seen from the image folder, and labels under `present`",
        )
    values = np.full((len(kept), len(labels)), -1, dtype=np.int8)
    column = {label: i for i, label in enumerate(labels)}
    for i, file in enumerate(kept):
        values[i, [column[label] for label in unknown.get(file, ()) if label in column]] = 0
        values[i, [column[label] for label in present.get(file, ()) if label in column]] = 1
    if unused := [labels[i] for i in np.flatnonzero(~(values > 0).any(axis=0))]:
        problems.append(f"labels that no image has: {len(unused):,}, such as {unused[0]}")
    split = [splits.get(file) or ("val" if unit_hash(0, "tags val", file) < _VAL else "test") for file in kept]
    rows = [i for i, each in enumerate(split) if each == "train"]
    trained = {labels[i] for i in np.flatnonzero((values[rows] > 0).any(axis=0))} if rows else set()
    listed = _lines(seen) if seen else sorted(trained)
    return TagLabels(tuple(kept), tuple(labels), values, tuple(split), frozenset(listed), tuple(problems))


Parts = tuple[list[str], dict[str, set[str]], dict[str, set[str]], dict[str, str]]


def _read_table(path: Path) -> Parts:
    separator = _SEPARATORS.get(path.suffix.lower())
    if separator is None:
        raise NounflowError("Unknown kind of label file", where=path, fix="end its name in .json (COCO), .csv or .tsv")
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter=separator))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NounflowError(f"The label file cannot be read ({error})", where=path, fix="save it as UTF-8") from None
    if not rows or not {"file", "present"} <= set(rows[0]):
        raise NounflowError(
            "A file of several labels needs the columns file and present",
            where=path,
            fix=f"its columns are {', '.join(_COLUMNS)}; labels in a cell are separated by ;",
        )
    files = [plain_name(row["file"].strip()) for row in rows]
    present = {file: _labels(row["present"]) for file, row in zip(files, rows, strict=True)}
    unknown = {file: _labels(row.get("unknown")) for file, row in zip(files, rows, strict=True)}
    splits = {file: split for file, row in zip(files, rows, strict=True) if (split := (row.get("split") or "").strip())}
    return files, present, unknown, splits


def _read_nus(folder: Path) -> tuple[list[str], dict[str, set[str]], dict[str, set[str]], dict[str, str], list[str]]:
    """NUS-WIDE's 81 concepts: the list of images, and for each concept a file of 0 and 1, a line an image."""
    labels, files = (
        _lines(folder / _NUS_LABELS),
        [plain_name(line.replace("\\", "/")) for line in _lines(folder / _NUS_IMAGES)],
    )
    present: dict[str, set[str]] = {file: set() for file in files}
    for label in labels:
        path = next(iter(sorted(folder.rglob(f"Labels_{label}.txt"))), folder / f"Labels_{label}.txt")
        marks = _lines(path)
        if len(marks) != len(files):
            raise NounflowError(
                f"NUS-WIDE's labels of {label} have {len(marks):,} lines for {len(files):,} images",
                where=path,
                fix="take the file of all images, not that of one half",
            )
        for file, mark in zip(files, marks, strict=True):
            if mark == "1":
                present[file].add(label)
    return files, present, {}, {}, labels


def _lines(path: Path) -> list[str]:
    try:
        return [text for line in path.read_text(encoding="utf-8-sig").splitlines() if (text := line.strip())]
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(f"The list cannot be read ({error})", where=path, fix="check the path") from None


def _labels(cell: str | None) -> set[str]:
    return {part.strip() for part in (cell or "").split(";") if part.strip()}
