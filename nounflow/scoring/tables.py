"""The tables that the commands print: scores in percent, differences to one run, what others published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nounflow.scoring.comparison import Against
from nounflow.scoring.measure import Measure
from nounflow.scoring.measures import MEASURES
from nounflow.scoring.published import MARK, PublishedRow
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import judge, p_value, percent, percent_interval, points_interval, upper_bound


class Table(NamedTuple):
    """A table to be written."""

    caption: str
    headings: Sequence[str]
    cells: list[list[str]]
    text_columns: int  # the first so many are words, the others figures


def score_table(rows: Sequence[ScoreRow]) -> Table:
    """The scores with their intervals and, where nouns are unjudged, their bounds."""
    shown = [measure for measure in MEASURES if "tables" in measure.places]
    headings = ["run", "predictor", "image set", "judge", "n"]
    for measure in shown:
        headings += [measure.heading, "p"] if measure.format == "difference" else [measure.heading]
    cells = [
        [
            *(row.run, row.predictor, row.image_set, judge(row), str(row.n)),
            *(cell for measure in shown for cell in measure_cells(measure, row)),
        ]
        for row in rows
    ]
    return Table("Scores in percent, with 95 % bootstrap intervals over images", headings, cells, 4)


def measure_cells(measure: Measure, row: ScoreRow) -> list[str]:
    """What a measure says of a row: one cell, of a difference two, the other its p-value."""
    value, *beside = (getattr(row, column) for column in measure.columns)
    match measure.format:
        case "score":
            written, bound = percent_interval(value, *beside[:2]), upper_bound(measure, row)
            return [written if bound is None else f"{written}, at most {percent(bound)}"]
        case "difference":
            return difference_cells(value, *beside)
        case "count":
            return ["–" if value is None else str(value)]
        case "decimal":
            return ["–" if value is None else f"{value:.1f}"]
    return [percent(value)]


def difference_cells(difference: float | None, low: float | None, high: float | None, p: float | None) -> list[str]:
    """A difference in points with its interval, and its p-value."""
    return [points_interval(difference, low, high), p_value(None if difference is None else p)]


def against_table(rows: Sequence[Against], run: str) -> Table:
    """The differences in points."""
    headings = ("run", "image set", "judge", f"minus {run}", "p", "p (Holm)")
    cells = [
        [
            *(row.run, row.image_set, row.annotator),
            *difference_cells(row.difference, row.low, row.high, row.p),
            p_value(row.p_holm),
        ]
        for row in rows
    ]
    return Table("Difference of prediction scores in points, with paired 95 % bootstrap intervals", headings, cells, 3)


def published_table(rows: Sequence[PublishedRow]) -> Table:
    """Scores that others published, marked as such; two decimals as published."""
    headings = ("model", "image set", "nouns known", "nouns used", "primary", "prediction", "overall")
    cells = [
        [
            *(row.model, row.image_set, f"{row.nouns}", f"{row.distinct_nouns}"),
            *(f"{100 * value:.2f}" for value in (row.primary_score, row.prediction_score, row.overall_score)),
        ]
        for row in rows
    ]
    return Table(f"NOVIC paper: {MARK}, without intervals", headings, cells, 2)
