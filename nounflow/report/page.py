"""The report as one HTML page: from tables and cards to what the template shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from nounflow.predictor_kinds import is_baseline
from nounflow.report import charts, figures, words
from nounflow.report.gallery import Card, Picture
from nounflow.schemas.documents import Angles, Annotations, PredictorManifest
from nounflow.scoring.answers import only_decoding
from nounflow.scoring.load import CountsRecord, ScoringMaterial, TrainingProgress
from nounflow.scoring.results import Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import comparison, judged, percent, points

_TOP_NOUNS = 20
_VERDICTS = (("right", "right"), ("close", "close"), ("wrong", "wrong"), ("unjudged", "not judged"))


@dataclass(frozen=True)
class Report:
    """All that a page is made of."""

    scores: Scores
    material: ScoringMaterial
    progress: Mapping[str, TrainingProgress] = field(default_factory=dict)  # by run
    counts: Sequence[tuple[str, CountsRecord]] = ()  # file name, record
    jobs: pl.DataFrame | None = None  # what each has taken; columns as in job_costs.SCHEMA
    cards: Sequence[tuple[Card, Picture]] = ()
    images: int = 0  # that the cards were chosen from
    published: bool = False  # show published scores


def render(report: Report) -> str:
    """The whole page."""
    templates = resources.files("nounflow.report") / "templates"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((templates / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        css=Markup((templates / "report.css").read_text(encoding="utf-8")),
        js=Markup((templates / "report.js").read_text(encoding="utf-8")),
        headline=words.headline(report.material.predictions),
        lead=words.lead(report.material),
        sentences=[sentence for row in report.scores.rows if (sentence := comparison(row))],
        **_scores(report),
        comparisons=figures.comparisons(report.scores),
        undrawn=figures.undrawn(report.scores),
        breakdowns=figures.breakdowns(report.scores),
        diversity=figures.diversity(report.scores),
        calibrations=figures.calibrations(report.scores),
        provenance=figures.provenance(report.scores, report.material),
        published=figures.published() if report.published else None,
        **_gallery(report),
        curves=_curves(report.progress),
        angles=_angles(report.progress),
        noun_lists=_noun_lists(report.material),
        counts=[_stage(name, record) for name, record in report.counts],
        costs=None if report.jobs is None else figures.costs(report.jobs),
        unreadable=sorted(
            {
                (document.image_set, file, reason)
                for document in report.material.predictions
                for file, reason in document.unreadable.items()
            }
        ),
        reading=words.reading(report.scores.rows),
    )


def _scores(report: Report) -> dict[str, Any]:
    documents = {(one.image_set, one.annotator): one for one in report.material.annotations}
    grouped: dict[tuple[str, str], list[ScoreRow]] = {}
    for row in report.scores.rows:
        grouped.setdefault((row.image_set, row.annotator), []).append(row)
    return {
        "groups": [_group(rows, documents.get(key)) for key, rows in sorted(grouped.items())],
        "score_columns": words.SCORE_COLUMNS,
        "run_columns": words.RUN_COLUMNS,
        "runs": [(name, _run_cells(run.manifest, run.lexicon.name)) for name, run in report.material.runs.items()],
    }


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
        "rows": [{"name": row.run, "predictor": row.predictor, "cells": words.score_cells(row)} for row in rows],
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


def _run_cells(manifest: PredictorManifest, lexicon: str) -> list[str]:
    noise = manifest.settings.get("noise")
    return [
        manifest.predictor,
        f"{lexicon}, {len(manifest.nouns):,} nouns",
        manifest.embedder.spec,
        f"{manifest.parameters:,}",
        f"{manifest.samples:,}",
        words.noise(noise) if noise and not is_baseline(manifest.predictor) else "–",
        str(manifest.settings.get("seed", "–")),
    ]


def _gallery(report: Report) -> dict[str, Any]:
    seen = {guess.verdict for card, _ in report.cards for said in card.said for guess in said.guesses}
    return {
        "cards": [_card(card, picture) for card, picture in report.cards],
        "gallery_note": words.gallery(len(report.cards), report.images, report.material),
        "gallery_runs": list(dict.fromkeys(said.run for card, _ in report.cards for said in card.said)),
        "gallery_sets": sorted({card.image_set for card, _ in report.cards}),
        "sure_and_wrong": any(card.sure_and_wrong for card, _ in report.cards),
        "verdicts": [pair for pair in _VERDICTS if pair[0] != "unjudged" or "unjudged" in seen],
    }


def _card(card: Card, picture: Picture) -> dict[str, Any]:
    gold = ""
    if card.labels:
        gold = " / ".join((card.labels.gold, *card.labels.accepted))
    return {
        "image_set": card.image_set,
        "file": card.file,
        "disagree": card.disagree,
        "uri": picture.uri,
        "width": picture.width,
        "height": picture.height,
        "gold": gold,
        "alt": f"Image labelled {card.labels.gold}" if card.labels else f"Image {card.file}",
        "said": [
            {
                "run": said.run,
                "verdict": said.verdict,
                "sure": said.sure_and_wrong,
                "guesses": [
                    {
                        "noun": guess.noun or "(empty)",
                        "verdict": guess.verdict,
                        "words": words.category(guess.category),
                        "percent": words.probability(guess.probability),
                        "share": f"{100 * min(1.0, max(0.0, guess.probability)):.1f}",
                    }
                    for guess in said.guesses
                ],
            }
            for said in card.said
        ],
    }


def _curves(progress: Mapping[str, TrainingProgress]) -> list[dict[str, Any]]:
    """Loss and accuracies of each run, training and held-out in one chart."""
    runs = []
    for run in sorted(progress):
        if (table := progress[run].metrics) is None:
            continue
        names = sorted({name for name in table["metric"] if name == "loss" or name.endswith("accuracy")})
        drawn = [_curve(run, table, name) for name in sorted(names, key=lambda name: (name != "loss", name))]
        if drawn:
            runs.append({"name": run, "charts": drawn})
    return runs


def _curve(run: str, table: pl.DataFrame, metric: str) -> dict[str, Any]:
    series = []
    for split, name, style in (("train", "trained on", "s1"), ("heldout", "held out", "s2")):
        rows = table.filter((pl.col("metric") == metric) & (pl.col("split") == split)).sort("samples")
        if len(rows):
            series.append(
                charts.Series(name, tuple(map(float, rows["samples"])), tuple(map(float, rows["value"])), style)
            )
    ends = ", ".join(f"{one.name} from {one.y[0]:.3g} to {one.y[-1]:.3g}" for one in series)
    title = words.metric(metric)
    return {
        "title": title,
        "svg": charts.line_chart(series, "training samples", metric != "loss", f"{title} of {run}: {ends}"),
        "legend": [(one.name, one.style) for one in series],
    }


def _angles(progress: Mapping[str, TrainingProgress]) -> list[dict[str, Any]]:
    """One chart for each distinct set of angles; runs that share noise and embedder share it."""
    sharing: dict[Angles, list[str]] = {}
    for run in sorted(progress):
        if (angles := progress[run].angles) is not None:
            sharing.setdefault(angles, []).append(run)
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


def _noun_lists(material: ScoringMaterial) -> list[dict[str, Any]]:
    """The heaviest nouns of each lexicon in use, and the nouns each run gave most."""
    lists = []
    for lexicon in sorted({run.lexicon.name for run in material.runs.values()}):
        table = material.tables[lexicon].sort(["weight", "noun"], descending=[True, False])
        rows = [
            (noun, weight, f"{weight:.2f}") for noun, weight in table.select("noun", "weight").head(_TOP_NOUNS).rows()
        ]
        lists.append(_noun_list(f"Lexicon {lexicon}", f"{len(table):,} nouns; the heaviest", "weight", rows))
    for document in material.predictions:
        given = Counter(nouns[0] for nouns in only_decoding(document).pred)
        top = sorted(given.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP_NOUNS]
        note = f"{len(given):,} different first nouns on {document.image_set}; the most frequent"
        lists.append(_noun_list(document.run, note, "images", [(noun, n, str(n)) for noun, n in top]))
    return lists


def _noun_list(title: str, note: str, unit: str, rows: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    return {
        "title": title,
        "note": note,
        "unit": unit,
        "rows": [(noun or "(empty)", text, f"{100 * value / most:.1f}") for noun, value, text in rows],
    }


def _stage(file: str, record: CountsRecord) -> dict[str, Any]:
    flows = []
    for flow in record.flows:
        lines = [f"− {n:,} {reason}" for reason, n in flow.dropped.items()]
        lines += [f"+ {n:,} {reason}" for reason, n in flow.added.items()]
        numbers = {"n_in": f"{flow.n_in:,}", "n_out": f"{flow.n_out:,}"}
        flows.append({"name": flow.name, "unit": flow.unit, "unit_out": flow.unit_out, "lines": lines, **numbers})
    return {"title": record.stage.replace("_", " "), "file": file, "flows": flows}
