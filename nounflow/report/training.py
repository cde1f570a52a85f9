"""What the report draws of a training: its curves, and how far noise turned embeddings."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from nounflow.report import charts
from nounflow.report.reading import TrainingProgress
from nounflow.schemas.models import Angles

_METRICS = {"loss": "Loss", "noun_accuracy": "Nouns right", "token_accuracy": "Word pieces right"}


def curves(progress: Mapping[str, TrainingProgress]) -> list[dict[str, Any]]:
    """Loss and accuracies of each run, training and held-out in one chart."""
    runs = []
    for run in sorted(progress):
        if (table := progress[run].metrics) is None:
            continue
        names = sorted({name for name in table["metric"] if name == "loss" or name.endswith("accuracy")})
        titles = _METRICS if progress[run].writes_tokens else _METRICS | {"token_accuracy": _METRICS["noun_accuracy"]}
        drawn = [_curve(run, table, name, titles) for name in sorted(names, key=lambda name: (name != "loss", name))]
        if drawn:
            runs.append({"name": run, "charts": drawn})
    return runs


def _curve(run: str, table: pl.DataFrame, metric: str, titles: Mapping[str, str]) -> dict[str, Any]:
    series = []
    for split, name, style in (("train", "trained on", "s1"), ("heldout", "held out", "s2")):
        rows = table.filter((pl.col("metric") == metric) & (pl.col("split") == split)).sort("samples")
        if len(rows):
            series.append(
                charts.Series(name, tuple(map(float, rows["samples"])), tuple(map(float, rows["value"])), style)
            )
    ends = ", ".join(f"{one.name} from {one.y[0]:.3g} to {one.y[-1]:.3g}" for one in series)
    title = titles.get(metric, metric.replace("_", " ").capitalize())
    return {
        "title": title,
        "svg": charts.line_chart(series, "training samples", metric != "loss", f"{title} of {run}: {ends}"),
        "legend": [(one.name, one.style) for one in series],
    }


def angles(progress: Mapping[str, TrainingProgress]) -> list[dict[str, Any]]:
    """One chart for each distinct set of angles; runs that share noise and embedder share it."""
    sharing: dict[Angles, list[str]] = {}
    for run in sorted(progress):
        if (found := progress[run].angles) is not None:
            sharing.setdefault(found, []).append(run)
    drawn = []
    for one, runs in sharing.items():
        series = [
            ("an embedding and its noised version", one.noise, "s1"),
            ("two captions of one noun", one.same_noun, "s2"),
            ("captions of two nouns", one.different_noun, "s3"),
        ]
        legend = []
        for name, counts, style in series:
            median = charts.histogram_median(one.bins_deg, counts)
            legend.append((f"{name}: {'none' if median is None else f'median {median:.0f}°'}", style))
        title = ", ".join(runs)
        label = f"Angles of {title}: " + "; ".join(text for text, _ in legend)
        drawn.append({"title": title, "svg": charts.histogram_chart(one.bins_deg, series, label), "legend": legend})
    return drawn
