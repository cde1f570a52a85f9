"""`nounflow scores` and `nounflow reproduce`: show a score table, and how a row of it is made."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError

if TYPE_CHECKING:
    from nounflow.scoring.results import Scores
    from nounflow.scoring.tables import Table

_TABLE = Path("results/scores.tsv")


def add(commands: Any) -> None:
    """Add both commands to the parsers of `nounflow`."""
    scores = commands.add_parser("scores", help="print a score table")
    scores.add_argument("table", nargs="?", type=Path, default=_TABLE, help="scores.tsv")
    formats = ("terminal", "tsv", "json", "markdown", "latex")
    scores.add_argument("--format", choices=formats, default=formats[0], help="how (default: for the terminal)")
    scores.add_argument("--against", metavar="RUN", help="every run's paired difference to this one instead")
    scores.add_argument("--published", action="store_true", help="published scores too, marked as such")
    scores.add_argument(
        "--measures",
        type=lambda text: tuple(name.strip() for name in text.split(",") if name.strip()),
        default=(),
        metavar="NAMES",
        help="further measures to show, such as hP,hR,cluster_accuracy (the files hold all)",
    )
    scores.set_defaults(call=_scores)
    add_json(scores)

    reproduce = commands.add_parser("reproduce", help="print the commands that make a row of the score table")
    reproduce.add_argument("row", metavar="ROW", help="run, run/image_set/annotator, or the row's number from 1")
    reproduce.add_argument("--table", type=Path, default=_TABLE, help="scores.tsv")
    reproduce.set_defaults(call=_reproduce)


def _scores(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.rows import read_scores
    from nounflow.scoring.tables import published_rows, published_table, score_table
    from nounflow.scoring.terminal import print_scores

    if arguments.published and (arguments.against or arguments.format in ("tsv", "json")):
        raise NounflowError(
            "Published scores have neither our columns nor images in common with ours",
            fix="take --published without --against, and with --format terminal, markdown or latex",
        )
    if arguments.measures and arguments.against:
        raise NounflowError("Differences are of the score alone", fix="take --measures without --against")
    if arguments.against:
        _against(arguments)
        return
    rows = read_scores(arguments.table)
    others = published_rows() if arguments.published else []
    published = [published_table(others)] if others else []
    if arguments.json or arguments.format == "terminal":
        cells = [row.model_dump() | {"seed": int(row.seed) if row.seed.isdigit() else None} for row in rows]
        show("scores", cells, lambda: print_scores(rows, arguments.measures))
        show("published", others, lambda: _print_tables(published))
    elif arguments.format == "tsv":
        sys.stdout.write(arguments.table.read_text(encoding="utf-8"))
    elif arguments.format == "json":
        print(_read(arguments.table).model_dump_json(indent=2))
    else:
        _print_markup([score_table(rows, arguments.measures), *published], arguments.format)


def _against(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.comparison import Against, against
    from nounflow.scoring.tables import against_table
    from nounflow.spreadsheets import sheet_text

    rows = against(_read(arguments.table), arguments.against)
    if arguments.json:
        show("against", rows)
    elif arguments.format == "tsv":
        print(sheet_text(Against._fields, rows, digits=".6g"), end="")
    elif arguments.format == "json":
        print(json.dumps([row._asdict() for row in rows], indent=2, ensure_ascii=False))
    elif arguments.format == "terminal":
        _print_tables([against_table(rows, arguments.against)])
    else:
        _print_markup([against_table(rows, arguments.against)], arguments.format)


def _reproduce(arguments: argparse.Namespace) -> None:
    from nounflow.scoring.provenance import find_row, reproduction

    scores = _read(arguments.table)
    print(reproduction(scores, find_row(scores, arguments.row)))


def _read(table: Path) -> Scores:
    from nounflow.schemas.documents import read_document
    from nounflow.scoring.results import Scores

    return read_document(Scores, table.with_suffix(".json"), "score file with details")


def _print_markup(tables: list[Table], form: str) -> None:
    from nounflow.scoring.tables import latex_table, markdown_table

    print("\n".join(map(markdown_table if form == "markdown" else latex_table, tables)), end="")


def _print_tables(tables: list[Table]) -> None:
    from rich.table import Table

    from nounflow.scoring.terminal import console

    for found in tables:
        table = Table(title=found.caption, title_justify="left")
        for i, heading in enumerate(found.headings):
            table.add_column(heading, justify="left" if i < found.text_columns else "right", overflow="fold")
        for row in found.cells:
            table.add_row(*row)
        console().print(table)
