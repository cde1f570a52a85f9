"""The score table for a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from nounflow.scoring.measure import Measure
from nounflow.scoring.measures import shown
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import cell, comparison, kappa

_ROOM = 160  # characters; a narrower terminal shows the measures of `_MAIN` only
_SCORE = "prediction_score"  # has its interval, and its bound in a column of its own
_MAIN = ("coverage", _SCORE, "difference_to_retrieval")


def print_scores(rows: Sequence[ScoreRow], further: Sequence[str] = ()) -> None:
    """Print the table, with further measures if wanted, and each run beside its baseline in a sentence."""
    terminal = console()
    terminal.print(terminal_table(rows, terminal.width, further))
    for sentence in filter(None, map(comparison, rows)):
        terminal.print(sentence, markup=False, highlight=False)


def console() -> Console:
    """The terminal; 200 characters wide where the output is a file, which has no width of its own."""
    found = Console()
    return found if found.is_terminal else Console(width=200)


def terminal_table(rows: Sequence[ScoreRow], width: int = 200, further: Sequence[str] = ()) -> Table:
    """The table for a terminal so many characters wide, in percent; a score with unjudged nouns as a range."""
    wide = width >= _ROOM
    kappas = "; κ: the judge's agreement with people" if any(row.judge_pairs for row in rows) else ""
    table = Table(
        title=f"Scores in percent, with 95 % intervals over images{kappas}",
        caption="" if wide else "more columns: a wider terminal, or --format markdown",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("run", "predictor", "image set", "judge") if wide else ("run", "image set", "judge"):
        table.add_column(heading, overflow="fold")
    if wide:
        table.add_column("n", justify="right")
    bounds = any(row.partly_judged for row in rows)
    measures = [  # of a narrow table the main ones, and what was asked for beside the usual ones
        one for one in shown("terminal", further) if wide or one.name in _MAIN or "terminal" not in one.places
    ]
    for measure in measures:
        table.add_column(measure.heading, justify="right", no_wrap=measure.name in _MAIN[1:])
        if measure.name == _SCORE and bounds:
            table.add_column("at most", justify="right")
    for row in rows:
        judge = (row.annotator or "–") + (f", κ {kappa(row.judge_kappa)}" if row.judge_pairs else "")
        kind, n = ([row.predictor], [str(row.n)]) if wide else ([], [])
        first = (row.label, *kind, row.image_set, judge, *n)
        table.add_row(*first, *(text for measure in measures for text in _cells(measure, row, bounds)))
    return table


def _cells(measure: Measure, row: ScoreRow, bounds: bool) -> list[str]:
    found = cell(measure, row)
    if measure.name == _SCORE:
        return [found.with_interval, *([found.bound or "–"] if bounds else [])]
    if measure.format == "difference":
        return [found.with_interval]
    return [f"{found.value}–{found.bound}" if found.bound else found.value]
