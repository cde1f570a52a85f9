"""Which of several labels are true of which image: +1 present, -1 absent, 0 nothing is known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nounflow.errors import NounflowError
from nounflow.files import text_encoding
from nounflow.image_names import in_folder, listed, plain_name
from nounflow.schemas.boxes import read_coco
from nounflow.schemas.labels import file_problem, label_rows, nouns_of
from nounflow.streams import unit_hash

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("file", "present", "unknown", "split")
_SPLITS = ("train", "val", "test")
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
        coco = read_coco(path, there)
        files, labels, problems = list(coco.files), list(coco.labels), list(coco.problems)
        present = {file: set[str]() for file in files}
        for box in coco.boxes:
            present[box.file].add(box.label)
        unknown, splits = {}, dict(coco.splits)
    else:
        files, present, unknown, splits = _read_table(path)
        labels, problems = sorted(set().union(*present.values())), []
        if both := [file for file in files if present[file] & unknown[file]]:
            problems.append(
                f"labels that are present and unknown, which count as present: of {both[0]}, {len(both):,} in all"
            )
    spelled = listed(there)  # by the file's spelling, which stays: `present` goes by it
    twice = [label for label, n in Counter(labels).items() if n > 1]
    written = {in_folder(file, spelled): file for file in files}
    kept = [file for file in written if file in spelled]
    if missing := [file for file in written if file not in spelled]:
        problems.append(f"images that are missing from the folder: {len(missing):,}, such as {missing[0]}")
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
    for i, file in enumerate(written[name] for name in kept):
        values[i, [column[label] for label in unknown.get(file, ()) if label in column]] = 0
        values[i, [column[label] for label in present.get(file, ()) if label in column]] = 1
    if unused := [labels[i] for i in np.flatnonzero(~(values > 0).any(axis=0))]:
        problems.append(f"labels that no image has: {len(unused):,}, such as {unused[0]}")
    split = [splits.get(written[file]) or ("val" if unit_hash(0, "tags val", file) < _VAL else "test") for file in kept]
    if strange := sorted(set(split) - set(_SPLITS)):
        raise NounflowError(f"A split is called {strange[0]!a}", where=path, fix=f"allowed: {', '.join(_SPLITS)}")
    rows = [i for i, each in enumerate(split) if each == "train"]
    trained = {labels[i] for i in np.flatnonzero((values[rows] > 0).any(axis=0))} if rows else set()
    seen_labels = _lines(seen) if seen else sorted(trained)
    if strange := [label for label in seen_labels if label not in column]:
        problems.append(f"labels of {seen} that no image can have: {', '.join(strange[:5])}")
    return TagLabels(tuple(kept), tuple(labels), values, tuple(split), frozenset(seen_labels), tuple(problems))


Parts = tuple[list[str], dict[str, set[str]], dict[str, set[str]], dict[str, str]]


def _read_table(path: Path) -> Parts:
    separator = _SEPARATORS.get(path.suffix.lower())
    if separator is None:
        raise NounflowError("Unknown kind of label file", where=path, fix="end its name in .json (COCO), .csv or .tsv")
    lines = label_rows(path, separator)
    header = [cell.strip().lower() for cell in lines[0][1]] if lines else []
    if not {"file", "present"} <= set(header) or len(set(header)) < len(header):
        raise NounflowError(
            f"A file of several labels needs the columns file and present; found: {', '.join(header) or 'nothing'}",
            where=path,
            fix=f"its columns are {', '.join(_COLUMNS)}, by {separator!r}; labels in a cell are separated by ;",
        )
    present, unknown, splits = dict[str, set[str]](), dict[str, set[str]](), dict[str, str]()
    for line, cells in lines[1:]:
        row = dict(zip(header, cells, strict=False))
        file = plain_name(row.get("file", "").strip())
        if problem := file_problem(file, cells[len(header) :], present):
            raise NounflowError(problem[0], where=f"{path}, line {line}", fix=problem[1])
        present[file], unknown[file] = (set(nouns_of(row.get(name, ""))) for name in ("present", "unknown"))
        if split := row.get("split", "").strip().lower():
            splits[file] = split
    return list(present), present, unknown, splits


def _read_nus(folder: Path) -> tuple[list[str], dict[str, set[str]], dict[str, set[str]], dict[str, str], list[str]]:
    """NUS-WIDE's 81 concepts: the list of images, and for each concept a file of 0 and 1, a line an image."""
    labels, files = (
        _lines(folder / _NUS_LABELS),
        list(map(plain_name, _lines(folder / _NUS_IMAGES))),
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
        if strange := [n for n, mark in enumerate(marks, 1) if mark not in ("0", "1", "-1")]:
            raise NounflowError(
                "A line of NUS-WIDE's labels is neither 0 nor 1",
                where=f"{path}, line {strange[0]}",
                fix="take its own file",
            )
        for file, mark in zip(files, marks, strict=True):
            if mark == "1":
                present[file].add(label)
    return files, present, {}, {}, labels


def _lines(path: Path) -> list[str]:
    try:
        return [text for line in path.read_text(encoding=text_encoding(path)).splitlines() if (text := line.strip())]
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(f"The list cannot be read ({error})", where=path, fix="check the path") from None
