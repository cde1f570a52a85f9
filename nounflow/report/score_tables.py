"""The scores in the report: for each image set and judge a table, the same as dots, and run against run."""

from collections.abc import Iterable, Sequence
from typing import Any

from nounflow.predictor_kinds import is_baseline
from nounflow.report import words
from nounflow.report.axes import nice_ticks
from nounflow.schemas.annotations import Annotations
from nounflow.scoring.measures import BY_NAME, shown
from nounflow.scoring.results import Comparison, Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import cell, interval, judged, p_value, points


def columns(further: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Heading and explanation of each measure, with further ones if wanted."""
    return [
        (one.report_heading or one.heading[0].upper() + one.heading[1:], one.description)
        for one in shown("report", further)
    ]


COLUMNS = tuple(columns())


def groups(scores: Scores, annotations: Iterable[Annotations], further: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows by image set and judge."""
    documents = {(one.image_set, one.annotator): one for one in annotations}
    grouped: dict[tuple[str, str], list[ScoreRow]] = {}
    for row in scores.rows:
        grouped.setdefault((row.image_set, row.annotator), []).append(row)
    return [_group(rows, documents.get(key), further) for key, rows in sorted(grouped.items())]


def score_cells(row: ScoreRow, further: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The cells of a row in the order of `columns`, each with what stands small behind it."""
    cells = []
    for measure in shown("report", further):
        found, value = cell(measure, row), getattr(row, measure.name)
        written = f"{value:,}" if measure.format == "count" and value is not None else found.value
        cells.append((written, found.interval + (f"\nat most {found.bound}" if found.bound else "")))
    return cells


def _group(rows: Sequence[ScoreRow], annotations: Annotations | None, further: Sequence[str]) -> dict[str, Any]:
    """Runs on one image set under one annotator, best first."""
    rows = sorted(rows, key=lambda row: (-(row.prediction_score or 0.0), row.run))
    first = rows[0]
    return {
        "title": judged(first),
        "caption": f"Percent of {first.n:,} images, with 95 % intervals in brackets; the best score first.",
        "judge": words.judge(annotations) if annotations else "",
        "bounded": any(row.partly_judged for row in rows if row.prediction_score is not None),
        "scores": _dots("prediction_score", rows),
        "differences": _dots("difference_to_retrieval", rows),
        "rows": [{"name": row.run, "predictor": row.predictor, "cells": score_cells(row, further)} for row in rows],
    }


def _dots(name: str, rows: Sequence[ScoreRow]) -> dict[str, Any] | None:
    """A dot and an interval for each row that has them, placed in percent of the width; None without such rows."""
    measure = BY_NAME[name]
    score = measure.format == "score"
    dots = [(row, [getattr(row, column) for column in measure.columns]) for row in rows]
    dots = [(row, values) for row, values in dots if None not in values[:3]]
    if not dots:
        return None
    placed = [value for _, values in dots for value in (values if score else values[:3]) if value is not None]
    ticks = nice_ticks(min(0.0, *placed), max(0.0, *placed))

    def at(value: float) -> str:
        return f"{100 * (value - ticks[0]) / (ticks[-1] - ticks[0]):.2f}"

    return {
        "ticks": [
            {"at": at(tick), "zero": not score and tick == 0, "text": f"{100 * tick:g}" if score else _signed(tick)}
            for tick in ticks
        ],
        "rows": [
            {
                "name": row.run,
                "predictor": row.predictor,
                "baseline": is_baseline(row.predictor),
                "mid": at(value),
                "low": at(low),
                "high": at(high),
                "bound": at(bound) if score and row.partly_judged and bound is not None else None,
                "value": cell(measure, row).value,
            }
            for row, (value, low, high, bound) in dots
        ],
    }


def _signed(value: float) -> str:
    return f"{100 * value:+g}".replace("-", "−") if value else "0"


def comparisons(scores: Scores) -> list[dict[str, Any]]:
    """A table of run against run for each image set and judge."""
    titles = {(row.image_set, row.annotator): judged(row) for row in scores.rows}
    return [
        {
            "title": titles[one.image_set, one.annotator],
            "runs": one.runs,
            "rows": [(run, [_against(one, i, j) for j in range(len(one.runs))]) for i, run in enumerate(one.runs)],
        }
        for one in scores.comparisons
        if len(one.runs) > 1
    ]


def _against(one: Comparison, i: int, j: int) -> dict[str, str] | None:
    if i == j:
        return None
    low, high = one.low[i][j], one.high[i][j]
    verdict = "none" if low <= 0 <= high else "better" if low > 0 else "worse"
    return {
        "verdict": verdict,
        "words": {"none": "no difference shown", "better": "better", "worse": "worse"}[verdict],
        "difference": points(one.difference[i][j]),
        "interval": interval(points, low, high),
        "p": f"p {p_value(one.p[i][j])}, corrected {p_value(one.p_holm[i][j])}",
    }
