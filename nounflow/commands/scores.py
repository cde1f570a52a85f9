"""`nounflow scores` and `nounflow reproduce`: show a score table, and how a row of it is made."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.errors import NounflowError

if TYPE_CHECKING:
    from nounflow.scoring.formats import Table
    from nounflow.scoring.published import PublishedRow
    from nounflow.scoring.results import Scores
    from nounflow.scoring.table import ScoreRow

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

    if arguments.published and (arguments.against or arguments.format in ("tsv", "json")):
        raise NounflowError(
            "Published scores have neither our columns nor images in common with ours",
            fix="take --published without --against, and with --format terminal, markdown or latex",
        )
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


def _print(rows: list[ScoreRow], published: list[PublishedRow]) -> None:
    from nounflow.scoring.formats import published_table
    from nounflow.scoring.table import comparison, terminal_table

    console = _console()
    console.print(terminal_table(rows, console.width))
    for sentence in filter(None, map(comparison, rows)):
        console.print(sentence, markup=False, highlight=False)
    if published:
        _print_table(published_table(published))


def _against(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.formats import Against, against, against_table, latex_table, markdown_table

    rows = against(_read(arguments.table), arguments.against)
    table = against_table(rows, arguments.against)
    if arguments.format == "terminal":
        _print_table(table)
    elif arguments.format == "tsv":
        writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        writer.writerow(Against._fields)
        writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    elif arguments.format == "json":
        print(json.dumps([row._asdict() for row in rows], indent=2, ensure_ascii=False))
    else:
        print((markdown_table if arguments.format == "markdown" else latex_table)(table), end="")


def _reproduce(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.provenance import find_row, reproduction

    scores = _read(arguments.table)
    print(reproduction(scores, find_row(scores, arguments.row)))


def _read(table: Path) -> Scores:
    from nounflow.schemas.documents import read_document
    from nounflow.scoring.results import Scores

    return read_document(Scores, table.with_suffix(".json"), "score file with details")


def _print_table(found: Table) -> None:
    from rich.table import Table

    table = Table(title=found.caption, title_justify="left")
    for i, heading in enumerate(found.headings):
        table.add_column(heading, justify="left" if i < found.text_columns else "right", overflow="fold")
    for row in found.cells:
        table.add_row(*row)
    _console().print(table)


def _console() -> Any:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200)
