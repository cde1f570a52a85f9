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
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        raise NounflowError(
            "The label file does not exist", where=path, fix="check `labels` of the image set in the config"
        ) from None
    header = tuple(rows[0]) if rows else ()
    if not {"file", "gold"} <= set(header) or not set(header) <= set(_COLUMNS):
        raise NounflowError(
            f"The label file needs tab-separated columns file and gold, and may have {', '.join(_COLUMNS[2:])}; "
            f"found: {', '.join(map(str, header)) or 'nothing'}",
            where=path,
            fix="add a header line: file<TAB>gold",
        )
    labels: dict[str, Labels] = {}
    for line, row in enumerate(rows, 2):
        if not row["file"] or not row["gold"] or row["file"] in labels:
            raise NounflowError(
                "A row lacks its file or gold noun, or names a file again", where=f"{path}, line {line}: {row}"
            )
        labels[row["file"]] = Labels(
            gold=row["gold"].strip(),
            sense=(row.get("sense") or "").strip(),
            accepted=_split(row.get("accepted")),
            secondary=_split(row.get("secondary")),
        )
    return labels


def _split(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (cell or "").split(";") if part.strip())
