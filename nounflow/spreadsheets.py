"""Tables that people open in a spreadsheet: no text becomes a formula there, and numbers stay numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nounflow.escaping import guarded, spreadsheet_cell
from nounflow.files import write_text


def sheet_text(
    columns: Sequence[str],
    rows: Iterable[Iterable[Any]],
    separator: str = "\t",
    *,
    digits: str = "",
    exact: bool = False,
) -> str:
    """A table as text; cells are quoted where they must be, and None is an empty one.

    Args:
        digits: format of floats, as in ".6g"; by default as many digits as there are.
        exact: do not escape control codes, so that `unguarded` gives the very texts back.
    """

    def cell(value: Any) -> Any:
        if isinstance(value, str):
            return guarded(value) if exact else spreadsheet_cell(value)
        return f"{value + 0.0:{digits}}" if isinstance(value, float) else value  # + 0.0 turns -0.0 into 0

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([columns, *(map(cell, row) for row in rows)])
    return text.getvalue()


def write_sheet(
    path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]], *, digits: str = "", exact: bool = False
) -> None:
    """Write a table atomically: .csv with commas, all else with tabs."""
    separator = "," if path.suffix == ".csv" else "\t"
    write_text(path, sheet_text(columns, rows, separator, digits=digits, exact=exact))
