"""Scores in words and figures: percent, points, intervals, p-values, and the sentence that compares two runs."""

from collections.abc import Callable
from typing import NamedTuple

from nounflow.scoring.measure import Measure
from nounflow.scoring.rows import ScoreRow


def judge(row: ScoreRow) -> str:
    """Who judged, and how far that agrees with people: "openai (κ 0.71 with people, 120 nouns)"."""
    if not row.annotator or row.judge_pairs is None:
        return row.annotator or "–"
    return f"{row.annotator} (κ {kappa(row.judge_kappa)} with people, {row.judge_pairs:,} nouns)"


def judged(row: ScoreRow) -> str:
    """What a row is of: "photos, judged by wordnet"."""
    return f"{row.image_set}, {f'judged by {judge(row)}' if row.annotator else 'not judged'}"


def comparison(row: ScoreRow) -> str | None:
    """One sentence that sets a run beside the retrieval baseline; None where there is none."""
    difference, low, high = row.difference_to_retrieval, row.difference_low, row.difference_high
    if difference is None or low is None or high is None:
        return None
    figures = f"{points(difference)} points, 95 % interval {points(low)} to {points(high)}"
    names = f"'{row.run}' ({row.predictor})", f"'{row.retrieval_run}' (retrieval)"
    where = f"On {judged(row)}"
    if low <= 0 <= high:
        return f"{where}: no difference shown between {names[0]} and {names[1]} ({figures})."
    word = "better" if difference > 0 else "worse"
    return f"{where}: {names[0]} is {word} than {names[1]} ({figures})."


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal; a dash for an empty cell."""
    return "–" if value is None else f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of fractions as points with a sign: "+1.2", "0.0", "−0.4"."""
    rounded = round(100 * value, 1)
    return "0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", "−")


def interval(written: Callable[[float], str], low: float | None, high: float | None) -> str:
    """ "[22.0, 26.3]", empty where there is none."""
    return "" if low is None or high is None else f"[{written(low)}, {written(high)}]"


def p_value(p: float | None) -> str:
    """ "0.034", "<0.001" """
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def kappa(value: float | None) -> str:
    """ "0.71" """
    return "undefined" if value is None else f"{value:.2f}"


class Cell(NamedTuple):
    """What a measure says of a row; what it does not have, or there is not, is empty."""

    value: str
    interval: str = ""  # in brackets
    bound: str = ""  # the value if every unjudged noun were right; empty where all are judged
    p: str = ""

    @property
    def with_interval(self) -> str:
        """ "24.1 [22.0, 26.3]" """
        return f"{self.value} {self.interval}".rstrip()


def cell(measure: Measure, row: ScoreRow) -> Cell:
    """A measure of a row in figures."""
    value, *beside = (getattr(row, column) for column in measure.columns)
    if value is None:
        return Cell("–", p="–")
    match measure.format:
        case "count":
            return Cell(str(value))
        case "decimal":
            return Cell(f"{value:.1f}")
        case "difference":
            return difference_cell(value, *beside)
        case "score" if row.partly_judged and beside[2] is not None:
            return Cell(percent(value), interval(percent, *beside[:2]), percent(beside[2]))
    return Cell(percent(value), interval(percent, *beside[:2]) if beside else "")


def difference_cell(difference: float, low: float | None, high: float | None, p: float | None) -> Cell:
    """A difference of fractions in points, "+1.5 [−0.2, +3.2]", and its p-value."""
    return Cell(points(difference), interval(points, low, high), p=p_value(p))
