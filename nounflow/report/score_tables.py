"""The scores in the report: for each image set and judge a table, and its scores and differences as dots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nounflow.predictor_kinds import is_baseline
from nounflow.report import charts, words
from nounflow.schemas.documents import Annotations
from nounflow.scoring.measure import Measure
from nounflow.scoring.measures import MEASURES
from nounflow.scoring.results import Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import judged, percent, points, upper_bound

_MEASURES = tuple(measure for measure in MEASURES if "report" in measure.places)

COLUMNS = tuple(  # heading, explanation
    (measure.report_heading or measure.heading.capitalize(), measure.description) for measure in _MEASURES
)


def groups(scores: Scores, annotations: Iterable[Annotations]) -> list[dict[str, Any]]:
    """Rows by image set and judge."""
    documents = {(one.image_set, one.annotator): one for one in annotations}
    grouped: dict[tuple[str, str], list[ScoreRow]] = {}
    for row in scores.rows:
        grouped.setdefault((row.image_set, row.annotator), []).append(row)
    return [_group(rows, documents.get(key)) for key, rows in sorted(grouped.items())]


def score_cells(row: ScoreRow) -> list[tuple[str, str]]:
    """The cells of a row in the order of COLUMNS, each with what stands small behind it."""
    return [_cell(measure, row) for measure in _MEASURES]


def _group(rows: Sequence[ScoreRow], annotations: Annotations | None) -> dict[str, Any]:
    """Runs on one image set under one annotator, best first."""
    rows = sorted(rows, key=lambda row: (-(row.prediction_score or 0.0), row.run))
    first = rows[0]
    scored = [row for row in rows if row.prediction_score is not None]
    compared = [row for row in rows if row.difference_to_retrieval is not None]
    return {
        "title": judged(first),
        "caption": f"Percent of {first.n:,} images, with 95 % intervals in brackets; the best score first.",
        "judge": words.judge(annotations) if annotations else "",
        "bounded": any(row.partly_judged for row in scored),
        "scores": _dots(scored, ("prediction_score", "prediction_score_low", "prediction_score_high"), percent),
        "differences": _dots(compared, ("difference_to_retrieval", "difference_low", "difference_high"), points),
        "rows": [{"name": row.run, "predictor": row.predictor, "cells": score_cells(row)} for row in rows],
    }


def _dots(
    rows: Sequence[ScoreRow], columns: tuple[str, str, str], written: Callable[[float], str]
) -> dict[str, Any] | None:
    """A dot and an interval for each row, placed in percent of the width; None without rows."""
    if not rows:
        return None
    score = columns[0] == "prediction_score"
    values = [getattr(row, column) for row in rows for column in columns]
    if score:
        values += [row.score_if_unjudged_right for row in rows if row.score_if_unjudged_right is not None]
    ticks = charts.nice_ticks(min(0.0, *values), max(0.0, *values))
    width = ticks[-1] - ticks[0]

    def at(value: float) -> str:
        return f"{100 * (value - ticks[0]) / width:.2f}"

    return {
        "ticks": [
            {"at": at(tick), "zero": not score and tick == 0, "text": _signed(tick) if not score else f"{100 * tick:g}"}
            for tick in ticks
        ],
        "rows": [
            {
                "name": row.run,
                "predictor": row.predictor,
                "baseline": is_baseline(row.predictor),
                "mid": at(getattr(row, columns[0])),
                "low": at(getattr(row, columns[1])),
                "high": at(getattr(row, columns[2])),
                "bound": at(row.score_if_unjudged_right)
                if score and row.partly_judged and row.score_if_unjudged_right is not None
                else None,
                "value": written(getattr(row, columns[0])),
            }
            for row in rows
        ],
    }


def _signed(value: float) -> str:
    return f"{100 * value:+g}".replace("-", "−") if value else "0"


def _cell(measure: Measure, row: ScoreRow) -> tuple[str, str]:
    value, *beside = (getattr(row, column) for column in measure.columns)
    if value is None:
        return "–", ""
    match measure.format:
        case "score" | "interval":
            aside = _brackets(percent, *beside[:2])
            if measure.format == "score" and (bound := upper_bound(measure, row)) is not None:
                aside += f"\nat most {percent(bound)}"
            return percent(value), aside
        case "difference":
            return points(value), _brackets(points, *beside[:2])
        case "count":
            return f"{value:,}", ""
        case "decimal":
            return f"{value:.1f}", ""
    return percent(value), ""


def _brackets(written: Callable[[float], str], low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{written(low)}, {written(high)}]"
