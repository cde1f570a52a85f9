"""What the report draws of `scores.json`: kinds, diversity, calibration. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nounflow.report import charts
from nounflow.report.fitted import FittedClaims
from nounflow.scoring.calibration import Bin
from nounflow.scoring.measures import BY_NAME
from nounflow.scoring.results import Details, Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.variants import Part
from nounflow.scoring.wording import cell, interval, judged, percent
from nounflow.text import join_words

_STYLES = 6  # runs that one chart tells apart
_KINDS = 9
_LEAST = 5  # images of a kind that is drawn
_AS_CLAIMED = charts.Series("as claimed", (0.0, 1.0), (0.0, 1.0), "s0")


def undrawn(scores: Scores) -> str:
    """Which runs are in the tables only, because a chart could not tell more of them apart."""
    runs = sorted({row.run for _, pairs in _groups(scores) for row, _ in pairs[_STYLES:]})
    return f"Charts show the first {_STYLES} runs by name, not {join_words(runs)}." if runs else ""


def breakdowns(scores: Scores) -> list[dict[str, Any]]:
    """The score by kind and by frequency, all runs in one chart."""
    found = []
    for title, _, details in _drawn(scores):
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
    drawn = {}  # the judge makes no difference: the first one's rows serve
    for _, rows, details in _drawn(scores):
        image_set = rows[0].image_set
        if image_set in drawn or not any(one.noun_counts for one in details):
            continue
        series = []
        for i, (row, one) in enumerate(zip(rows, details, strict=True)):
            counts = np.cumsum((0, *one.noun_counts))  # the rarest of very many nouns are not recorded
            share = counts / max(1, counts[-1], row.n - row.unreadable)
            series.append(charts.Series(one.run, tuple(range(len(counts))), tuple(share.tolist()), f"s{i + 1}"))
        label = f"Share of images of {image_set} that a run's commonest nouns name"
        drawn[image_set] = {
            "title": image_set,
            "svg": charts.line_chart(series, "commonest first nouns", True, label),
            "legend": _legend(details),
            "rows": [(row.run, _diversity_cells(row)) for row in rows],
        }
    return list(drawn.values())


def calibrations(scores: Scores, fitted: Mapping[tuple[str, str, str], FittedClaims]) -> list[dict[str, Any]]:
    """Right against claimed, risk against coverage, and, by run, image set and annotator, right against `fitted`."""
    found = []
    for title, rows, details in _drawn(scores):
        claimed, after = [(_AS_CLAIMED, "as claimed")], [(_AS_CLAIMED, "as claimed")]  # and what the legend says
        risks: list[tuple[charts.Series, str]] = []
        for row, one in zip(rows, details, strict=True):
            if (risk := one.risk_coverage) is None:
                continue
            style = f"s{len(risks) + 1}"
            error = cell(BY_NAME["calibration_error"], row).with_interval
            claimed.append((_share_right(one.run, one.calibration, one.judged, style), f"{one.run}: error {error}"))
            if now := fitted.get((one.run, one.image_set, one.annotator)):
                error = f"{percent(now.error)} {interval(percent, now.low, now.high)}"
                after.append((_share_right(one.run, now.bins, now.judged, style), f"{one.run}: error {error}"))
            mean = f"{one.run}: mean risk {percent(row.risk_coverage_area)}"
            risks.append((charts.Series(one.run, risk.coverage, risk.risk, style), mean))
        if not risks:
            continue
        right, wrong = f"Probability and share right, {title}", f"Share wrong among the surest, {title}"
        drawn = [_with_legend("Share right", claimed, "probability that the run gave", right)]
        if len(after) > 1:
            drawn.append(_with_legend("Share right, as fitted", after, "probability fitted to captions", right))
        drawn.append(_with_legend("Share wrong", risks, "share of images named, the surest first", wrong))
        found.append({"title": title, "charts": drawn})
    return found


def _with_legend(title: str, drawn: Sequence[tuple[charts.Series, str]], x_label: str, label: str) -> dict[str, Any]:
    """A chart of shares; `drawn`: lines, and what the legend says of each."""
    said = "; ".join(text for one, text in drawn if one is not _AS_CLAIMED)
    svg = charts.line_chart([one for one, _ in drawn], x_label, True, f"{label}: {said}")
    return {"title": title, "svg": svg, "legend": [(text, one.style) for one, text in drawn]}


def _share_right(run: str, bins: Sequence[Bin], judged: int, style: str) -> charts.Series:
    x, y = tuple(held.confidence for held in bins), tuple(held.correct for held in bins)
    return charts.Series(run, x, y, style, tuple(1.5 + 7.0 * (held.n / judged) ** 0.5 for held in bins))


def _groups(scores: Scores) -> Iterator[tuple[str, list[tuple[ScoreRow, Details]]]]:
    """Rows on one image set under one judge, with both in words and the judge's agreement with people."""
    groups: dict[tuple[str, str], list[tuple[ScoreRow, Details]]] = {}
    for row, details in zip(scores.rows, scores.details, strict=True):
        groups.setdefault((row.image_set, row.annotator), []).append((row, details))
    for _, pairs in sorted(groups.items()):
        yield judged(pairs[0][0]), pairs


def _drawn(scores: Scores) -> Iterator[tuple[str, Sequence[ScoreRow], Sequence[Details]]]:
    """The same, as many runs as a chart can tell apart."""
    for title, pairs in _groups(scores):
        rows, details = zip(*pairs[:_STYLES], strict=True)
        yield title, rows, details


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
