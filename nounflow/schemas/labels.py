"""Label files of image sets: TSV with columns file, gold and, if wanted, sense, accepted, secondary."""

import csv
import posixpath
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.escaping import is_unseen, unguarded
from nounflow.files import text_encoding
from nounflow.image_names import ByName, plain_name
from nounflow.schemas.documents import StoredDocument


class Labels(StoredDocument):
    """What is right for one image, from the image set's label file."""

    gold: str
    sense: str = ""  # sense key of gold, where given
    accepted: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()


_COLUMNS = ("file", "gold", "sense", "accepted", "secondary")


LabelTable = ByName[Labels]


def read_labels(path: Path) -> LabelTable:
    """Read a label file. Several nouns in a cell are separated by ';'; cells may be quoted, as spreadsheets do.

    Raises:
        NounflowError: naming the line and the way out.
    """
    lines = label_rows(path)
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    if not {"file", "gold"} <= set(header) or not set(header) <= set(_COLUMNS) or len(set(header)) < len(header):
        raise NounflowError(
            f"The label file needs tab-separated columns file and gold, and may have {', '.join(_COLUMNS[2:])}; "
            f"found: {', '.join(header) or 'nothing'}",
            where=path,
            fix="add a header line: file<TAB>gold",
        )
    labels = LabelTable()
    for line, cells in lines[1:]:
        row = dict(zip(header, cells, strict=False))
        if problem := _problem(row, cells[len(header) :], labels):
            raise NounflowError(problem[0], where=f"{path}, line {line}: {'<TAB>'.join(cells)}", fix=problem[1])
        labels[row["file"].strip()] = Labels(
            gold=nouns_of(row["gold"])[0],
            sense=row.get("sense", "").strip(),
            accepted=nouns_of(row.get("accepted", "")),
            secondary=nouns_of(row.get("secondary", "")),
        )
    return labels


def label_rows(path: Path, separator: str = "\t") -> list[tuple[int, list[str]]]:
    """(number of its first line, cells) of each row of a label file that is not empty, the header among them.

    Raises:
        NounflowError: it cannot be read; names the line where a quotation mark is not closed.
    """
    try:
        with open(path, encoding=text_encoding(path), newline="") as handle:
            return list(_rows(handle, path, separator))
    except FileNotFoundError:
        raise NounflowError(
            "The label file does not exist", where=path, fix="check `labels` of the image set in the config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(
            f"The label file cannot be read ({error})", where=path, fix="save it as UTF-8 text"
        ) from None


def _rows(lines: Iterator[str], path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(lines, delimiter=separator, strict=True)
    line = 1
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield line, list(map(unguarded, cells))
            line = rows.line_num + 1
    except csv.Error as error:
        raise NounflowError(
            f"A quotation mark opens a cell and is not closed at its end ({error})",
            where=f"{path}, line {line}",
            fix='put the whole cell into quotes and double those within it ("the ""old"" couch"), or take the mark out',
        ) from None


def file_problem(file: str, further: Sequence[str], known: Container[str]) -> tuple[str, str] | None:
    """What is wrong with a row's file, or with its cells beyond the header's, and the way out."""
    if any(cell.strip() for cell in further):
        return "A row has more cells than the header", "several nouns stand in one cell, separated by ;"
    if not file:
        return "A row names no file", "fill the cell, or delete the line"
    if posixpath.isabs(file) or plain_name(file).startswith("../"):
        return "A file must lie below the folder of its image set", "name it as seen from that folder"
    if file in known:
        return "A file stands on two lines", "delete one of them"
    return None


def _problem(row: Mapping[str, str], further: list[str], labels: LabelTable) -> tuple[str, str] | None:
    """What is wrong with a row, and the way out."""
    gold = nouns_of(row.get("gold", ""))
    if problem := file_problem(row.get("file", "").strip(), further, labels):
        return problem
    if not gold:
        return "A row has no gold noun", "name what the picture shows, or delete the line: an image may go unlabelled"
    if len(gold) > 1:
        return "A row has several gold nouns", "further nouns that are right too go into a column `accepted`"
    return None


def nouns_of(cell: str) -> tuple[str, ...]:
    """The nouns of a cell, separated by ';': accents composed, without signs that nobody sees (zero-width spaces)."""
    signs = (sign for sign in unicodedata.normalize("NFC", cell) if sign.isspace() or not is_unseen(sign))
    return tuple(noun for part in "".join(signs).split(";") if (noun := " ".join(part.split())))
