"""Label files of image sets: TSV with columns file, gold and, if wanted, sense, accepted, secondary."""

from __future__ import annotations

import csv
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.schemas.documents import Labels

_COLUMNS = ("file", "gold", "sense", "accepted", "secondary")


def read_labels(path: Path) -> dict[str, Labels]:
    """Image file -> labels, in the file's order. Several nouns in a cell are separated by ';'."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:  # -sig: Excel starts its files with a mark
            reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
            header, rows = tuple(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        raise NounflowError(
            "The label file does not exist", where=path, fix="check `labels` of the image set in the config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(
            f"The label file cannot be read ({error})", where=path, fix="save it as UTF-8 text"
        ) from None
    if not {"file", "gold"} <= set(header) or not set(header) <= set(_COLUMNS):
        raise NounflowError(
            f"The label file needs tab-separated columns file and gold, and may have {', '.join(_COLUMNS[2:])}; "
            f"found: {', '.join(map(str, header)) or 'nothing'}",
            where=path,
            fix="add a header line: file<TAB>gold",
        )
    labels: dict[str, Labels] = {}
    for line, row in enumerate(rows, 2):
        file, gold = (row["file"] or "").strip(), _split(row["gold"])
        if None in row or not file or len(gold) != 1 or file in labels:
            cells = "<TAB>".join(str(cell) for cell in row.values() if cell is not None)
            raise NounflowError(
                "A row must have a file that no other row has, one gold noun, and no more cells than the header",
                where=f"{path}, line {line}: {cells}",
                fix="secondary nouns that are right too go into a column `accepted`, separated by ;",
            )
        labels[file] = Labels(
            gold=gold[0],
            sense=(row.get("sense") or "").strip(),
            accepted=_split(row.get("accepted")),
            secondary=_split(row.get("secondary")),
        )
    return labels


def _split(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (cell or "").split(";") if part.strip())
