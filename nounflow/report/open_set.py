"""What the report shows of `open_set.json`: which score tells known from unknown images, and what fooled it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from nounflow.report import charts
from nounflow.schemas.open_set import Fooled, Histogram, Measured, OpenSetResults, OpenSetRow

_STYLES = 6  # kinds of image that one chart tells apart
_COLOURS = {"known": "s1", "near": "s2", "far": "s3", "farthest": "s4", "wrong": "s2"}
_RUN_MEASURES = {
    "auroc": "AUROC, right against wrong",
    "auroc_gain": "minus the run's probability",
    "score_kept": "score of the surest 80 %",
    "score_kept_gain": "minus the best probability",
}


def open_set(results: OpenSetResults | None) -> list[dict[str, Any]]:
    """A part for each test with a class list, and for each run without one."""
    if results is None:
        return []
    parts = []
    for (test, run, embedder), rows in groupby(results.rows, key=lambda row: (row.test, row.run, row.embedder)):
        listed = list(rows)
        draw = _with_list if not run else _of_run
        parts.append(
            {
                "title": f"{test}, {f'answers of {run}' if run else 'with a class list'}",
                "embedder": embedder,
                **draw(listed),
                "histograms": [_histogram(one) for one in results.histograms if (one.test, one.run) == (test, run)],
                "fooled": _fooled([one for one in results.fooled if (one.test, one.run) == (test, run)]),
            }
        )
    return parts


def _with_list(rows: Sequence[OpenSetRow]) -> dict[str, Any]:
    kinds = list(dict.fromkeys(row.unknown for row in rows))
    methods = list(dict.fromkeys(row.method for row in rows))
    found = {(row.method, row.unknown): row for row in rows}
    sizes = {row.unknown: row.unknown_images for row in rows}
    cells = [
        (method, [_pair(found.get((method, kind))) for kind in kinds])
        for method in methods
    ]  # fmt: skip
    styles = {kind: f"s{i + 1}" for i, kind in enumerate(kinds[:_STYLES])}
    series = [
        (style, [_bounds(row.measures["auroc"]) if (row := found.get((m, kind))) else None for m in methods])
        for kind, style in styles.items()
    ]
    return {
        "headings": [f"{kind} ({sizes[kind]:.0f})" for kind in kinds],
        "caption": "AUROC with its 95 % interval over images, and below it FPR95, percent; unknown images in brackets; "
        f"{rows[0].known_images:.0f} known images, {rows[0].draws} draws",
        "rows": cells,
        "chart": charts.grouped_dots(methods, series, "AUROC by kind of unknown image"),
        "legend": list(styles.items()),
    }


def _of_run(rows: Sequence[OpenSetRow]) -> dict[str, Any]:
    wrong = [row for row in rows if row.unknown == "wrong"]
    farthest = {row.method: row for row in rows if row.unknown == "farthest"}
    cells = [
        (
            row.method,
            [
                *(_cell(row.measures.get(name)) for name in _RUN_MEASURES),
                _cell(farthest[row.method].measures["auroc"]) if row.method in farthest else ("–", ""),
            ],
        )
        for row in wrong
    ]
    series = [("s1", [_bounds(row.measures["auroc"]) for row in wrong])]
    return {
        "headings": [*_RUN_MEASURES.values(), "AUROC, right against patterns"],
        "caption": "percent, with 95 % intervals over images; differences are paired",
        "rows": cells,
        "chart": charts.grouped_dots([row.method for row in wrong], series, "AUROC of right against wrong answers")
        if wrong
        else "",
        "legend": [("right against wrong answers", "s1")] if wrong else [],
    }


def _histogram(one: Histogram) -> dict[str, Any]:
    series = [(kind, counts, _COLOURS[kind]) for kind, counts in one.counts.items()]
    legend = [(f"{kind} ({sum(counts)})", style) for kind, counts, style in series]
    return {
        "title": one.method,
        "svg": charts.histogram_chart(one.edges, series, f"Scores by {one.method}", "score"),
        "legend": legend,
    }


def _fooled(fooled: Sequence[Fooled]) -> list[tuple[str, list[str]]]:
    return [
        (method, [f"{one.file}{f' ({one.gold})' if one.gold else ''}: {one.called}" for one in images])
        for method, images in groupby(fooled, key=lambda one: one.method)
    ]


def _pair(row: OpenSetRow | None) -> tuple[str, str]:
    if row is None:
        return "–", ""
    value, interval = _cell(row.measures["auroc"])
    return value, f"{interval}\nFPR95 {100 * row.measures['fpr95'].value:.1f}"


def _cell(held: Measured | None) -> tuple[str, str]:
    if held is None:
        return "–", ""
    return f"{100 * held.value:.1f}", f"{100 * held.low:.1f} to {100 * held.high:.1f}"


def _bounds(held: Measured) -> tuple[float, float, float]:
    return held.value, held.low, held.high
