"""`nounflow scores` and `nounflow reproduce`: show a score table, and how a row of it is made."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nounflow.scoring.results import Scores

_TABLE = Path("results/scores.tsv")


def add(commands: Any) -> None:
    """Add both commands to the parsers of `nounflow`."""
    scores = commands.add_parser("scores", help="print a score table")
    scores.add_argument("table", nargs="?", type=Path, default=_TABLE, help="scores.tsv")
    formats = ("terminal", "tsv", "json", "markdown", "latex")
    scores.add_argument("--format", choices=formats, default=formats[0], help="how (default: for the terminal)")
    scores.add_argument("--against", metavar="RUN", help="every run's paired difference to this one instead")
    scores.add_argument("--published", action="store_true", help="published scores too, marked as such")
    scores.set_defaults(call=_scores)

    reproduce = commands.add_parser("reproduce", help="print the commands that make a row of the score table")
    reproduce.add_argument("row", metavar="ROW", help="run, run/image_set/annotator, or the row's number from 1")
    reproduce.add_argument("--table", type=Path, default=_TABLE, help="scores.tsv")
    reproduce.set_defaults(call=_reproduce)


def _scores(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.formats import latex, markdown
    from nounflow.scoring.published import published_rows
    from nounflow.scoring.table import read_scores

    if arguments.against:
        _against(arguments)
        return
    rows = read_scores(arguments.table)
    published = published_rows() if arguments.published else []
    if arguments.format == "terminal":
        _print(rows, published)
    elif arguments.format == "tsv":
        sys.stdout.write(arguments.table.read_text(encoding="utf-8"))
    elif arguments.format == "json":
        print(_read(arguments.table).model_dump_json(indent=2))
    else:
        print((markdown if arguments.format == "markdown" else latex)(rows, published), end="")


def _print(rows: list[Any], published: list[Any]) -> None:
    from nounflow.scoring.formats import PUBLISHED_HEADINGS, published_cells
    from nounflow.scoring.published import MARK
    from nounflow.scoring.table import comparison, terminal_table

    console = _console()
    console.print(terminal_table(rows))
    for sentence in filter(None, map(comparison, rows)):
        console.print(sentence, markup=False, highlight=False)
    if published:
        _print_table(f"NOVIC paper: {MARK}", PUBLISHED_HEADINGS, published_cells(published), 2)


def _against(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.formats import against

    headings, cells = against(_read(arguments.table), arguments.against)
    _print_table("Difference of prediction scores in points, paired 95 % intervals", headings, cells, 3)


def _reproduce(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.provenance import find_row, reproduction

    scores = _read(arguments.table)
    print(reproduction(scores, find_row(scores, arguments.row)))


def _read(table: Path) -> Scores:
    from nounflow.schemas.documents import read_document
    from nounflow.scoring.results import Scores

    return read_document(Scores, table.with_suffix(".json"), "scores with their details")


def _print_table(title: str, headings: Sequence[str], cells: Iterable[Sequence[str]], text: int) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i < text else "right", overflow="fold")
    for row in cells:
        table.add_row(*row)
    _console().print(table)


def _console() -> Any:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=160)
