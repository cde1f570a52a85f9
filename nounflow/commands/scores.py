"""`nounflow scores`: print a score table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add `scores` to the parsers of `nounflow`."""
    scores = commands.add_parser("scores", help="print a score table")
    scores.add_argument("table", nargs="?", type=Path, default=Path("results/scores.tsv"), help="scores.tsv")
    scores.set_defaults(call=_scores)


def _scores(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from nounflow.scoring.table import comparison, read_scores, terminal_table

    rows = read_scores(arguments.table)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(terminal_table(rows))
    for sentence in filter(None, map(comparison, rows)):
        console.print(sentence, markup=False, highlight=False)
