"""What the report draws of `scores.json`: kinds, diversity, calibration. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nounflow.report import charts
from nounflow.scoring.measures import BY_NAME
from nounflow.scoring.results import Details, Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.variants import Part
from nounflow.scoring.wording import cell, judged, percent
from nounflow.text import join_words

_STYLES = 6  # runs that one chart tells apart
_KINDS = 9
_LEAST = 5  # images of a kind that is drawn


def undrawn(scores: Scores) -> str:
    """Which runs are in the tables only, because a chart could not tell more of them apart."""
    runs = sorted({one.run for one in scores.details})[_STYLES:]
    return f"Charts show the first {_STYLES} runs by name, not {join_words(runs)}." if runs else ""


def breakdowns(scores: Scores) -> list[dict[str, Any]]:
    """The score by kind and by frequency, all runs in one chart."""
    found = []
    for title, details in _groups(scores):
        drawn = [
            _parts_chart("By kind", [one.kinds for one in details], title),
            _parts_chart("By uses of the noun in a million words", [one.bands for one in details], title),
        ]
        by = "their label" if details[0].parts_by == "label" else "the noun that the run gave"
        if any(drawn):
            found.append({"title": title, "by": by, "legend": _legend(details), "charts": list(filter(None, drawn))})
    return found


def diversity(scores: Scores) -> list[dict[str, Any]]:
    """How soon a run's commonest nouns make up all that it says."""
    rows = _rows(scores)
    drawn = {}  # the judge makes no difference: the first one's rows serve
    for _, details in _groups(scores):
        image_set = details[0].image_set
        if image_set in drawn or not any(one.noun_counts for one in details):
            continue
        series = []
        for i, one in enumerate(details):
            counts = np.cumsum((0, *one.noun_counts))
            share = counts / max(1, counts[-1])
            series.append(charts.Series(one.run, tuple(range(len(counts))), tuple(share.tolist()), f"s{i + 1}"))
        label = f"Share of images of {image_set} that a run's commonest nouns name"
        cells = [(one.run, _diversity_cells(rows[one.run, one.image_set, one.annotator])) for one in details]
        drawn[image_set] = {
            "title": image_set,
            "svg": charts.line_chart(series, "commonest first nouns", True, label),
            "legend": _legend(details),
            "rows": cells,
        }
    return list(drawn.values())


def calibrations(scores: Scores) -> list[dict[str, Any]]:
    """Right against claimed, and risk against coverage."""
    rows = _rows(scores)
    found = []
    for title, details in _groups(scores):
        claimed, claimed_legend = [charts.Series("as claimed", (0.0, 1.0), (0.0, 1.0), "s0")], [("as claimed", "s0")]
        risks: list[charts.Series] = []
        risk_legend: list[tuple[str, str]] = []
        for one in details:
            if one.risk_coverage is None:
                continue
            row, style = rows[one.run, one.image_set, one.annotator], f"s{len(risks) + 1}"
            x, y = tuple(held.confidence for held in one.calibration), tuple(held.correct for held in one.calibration)
            sizes = tuple(1.5 + 7.0 * (held.n / one.judged) ** 0.5 for held in one.calibration)
            claimed.append(charts.Series(one.run, x, y, style, sizes))
            claimed_legend.append((f"{one.run}: error {cell(BY_NAME['calibration_error'], row).with_interval}", style))
            risks.append(charts.Series(one.run, one.risk_coverage.coverage, one.risk_coverage.risk, style))
            risk_legend.append((f"{one.run}: mean risk {percent(row.risk_coverage_area)}", style))
        if not risks:
            continue
        label = f"Probability and share right, {title}: " + "; ".join(text for text, _ in claimed_legend[1:])
        risk_label = f"Share wrong among the surest, {title}: " + "; ".join(text for text, _ in risk_legend)
        found.append(
            {
                "title": title,
                "claimed": charts.line_chart(claimed, "probability that the run gave", True, label),
                "claimed_legend": claimed_legend,
                "risk": charts.line_chart(risks, "share of images named, the surest first", True, risk_label),
                "risk_legend": risk_legend,
            }
        )
    return found


def _rows(scores: Scores) -> dict[tuple[str, str, str], ScoreRow]:
    return {(row.run, row.image_set, row.annotator): row for row in scores.rows}


def _groups(scores: Scores) -> Iterator[tuple[str, list[Details]]]:
    """Rows on one image set under one judge; as many runs as a chart can tell apart."""
    for key, title in sorted(_titles(scores).items()):
        yield title, [one for one in scores.details if (one.image_set, one.annotator) == key][:_STYLES]


def _titles(scores: Scores) -> dict[tuple[str, str], str]:
    """Image set and annotator -> both in words, with the judge's agreement with people."""
    return {(row.image_set, row.annotator): judged(row) for row in scores.rows}


def _legend(details: Sequence[Details]) -> list[tuple[str, str]]:
    return [(one.run, f"s{i + 1}") for i, one in enumerate(details)]


def _parts_chart(title: str, parts: Sequence[tuple[Part, ...]], where: str) -> dict[str, Any] | None:
    sizes: dict[str, int] = {}
    for part in (part for run in parts for part in run):
        sizes[part.name] = max(part.n, sizes.get(part.name, 0))
    names = [name for name, n in sizes.items() if n >= _LEAST][:_KINDS]
    if not names:
        return None
    series = []
    for i, run in enumerate(parts):
        held = {part.name: part.prediction_score for part in run}
        values = [(held[name].value, held[name].low, held[name].high) if name in held else None for name in names]
        series.append((f"s{i + 1}", values))
    small = [f"{name} ({n})" for name, n in sizes.items() if name not in names]
    return {
        "title": f"{title}, percent",
        "note": f"Too few images to draw: {', '.join(small)}." if small else "",
        "svg": charts.grouped_dots([f"{name} ({sizes[name]})" for name in names], series, f"{title}, {where}"),
    }


def _diversity_cells(row: ScoreRow) -> list[str]:
    different = "–" if row.distinct_nouns is None else f"{row.distinct_nouns:,}"
    effective = "–" if row.effective_nouns is None else f"{row.effective_nouns:.0f}"
    return [different, effective, percent(row.top_noun_share)]
