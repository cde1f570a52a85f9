"""The report as one HTML page: what its template shows. Pure."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nounflow.classification.table import HEADINGS, Row, cells
from nounflow.counts import Counts
from nounflow.report import charts, figures, score_tables, tags, training, words
from nounflow.report.fitted import fitted_claims
from nounflow.report.gallery import Card, Picture
from nounflow.report.open_set import open_set
from nounflow.report.reading import TrainingProgress
from nounflow.report.regions import regions
from nounflow.report.templating import environment, verbatim
from nounflow.schemas.open_set import OpenSetResults
from nounflow.schemas.regions import RegionScores
from nounflow.schemas.tags import TagScores
from nounflow.scoring.answers import only_decoding
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.results import Scores
from nounflow.scoring.tables import published_rows, published_table
from nounflow.workflow.job_costs import by_rule

_TOP_NOUNS = 20  # of a list
_FILTERS: dict[str, Callable[..., Any]] = {
    "thousands": "{:,}".format,
    "seconds": lambda value: "–" if value is None else f"{value:,.1f} s",
    "megabytes": lambda value: "–" if value is None else f"{value:,.0f} MB",
    "bar": lambda share: f"{100 * min(1.0, max(0.0, share)):.1f}",  # percent of the width
    "probability": words.probability,
    "category": words.category,
    "noise": words.noise,
    "breakable": words.breakable,
    "swatch": charts.swatch,
    "classified_cells": cells,
}


@dataclass(frozen=True)
class Report:
    """All that a page is made of."""

    scores: Scores
    material: ScoringMaterial
    progress: Mapping[str, TrainingProgress] = field(default_factory=dict)  # by run
    counts: Sequence[tuple[str, Counts]] = ()  # file name, record
    jobs: pl.DataFrame | None = None  # what each has taken; columns as in job_costs.SCHEMA
    cards: Sequence[tuple[Card, Picture]] = ()
    images: int = 0  # that the cards were chosen from
    published: bool = False  # show published scores
    classification: Sequence[Row] | None = None  # None: nothing was classified
    open_set: OpenSetResults | None = None
    measures: Sequence[str] = ()  # to show beside the usual ones
    tags: TagScores | None = None  # several nouns for an image, where they were scored
    regions: RegionScores | None = None


def render(report: Report) -> str:
    """The whole page."""
    scores, material = report.scores, report.material
    fitted = {run: one.fitted for run, one in report.progress.items() if one.fitted}
    templates = environment()
    templates.filters |= _FILTERS
    origin = scores.provenance
    return templates.get_template("report.html.j2").render(
        css=verbatim("report.css"),
        js=verbatim("report.js"),
        headline=words.headline(scores),
        built=words.built(material),
        warnings=[*words.rehearsals(material), *words.monotonous(material.predictions)],
        scores=scores,
        runs=material.runs,
        groups=score_tables.groups(scores, material.annotations, report.measures),
        score_columns=score_tables.columns(report.measures),
        comparisons=score_tables.comparisons(scores),
        undrawn=figures.undrawn(scores),
        breakdowns=figures.breakdowns(scores),
        diversity=figures.diversity(scores),
        calibrations=figures.calibrations(scores, fitted_claims(material, fitted)),
        fitted_on=next((rule.fitted_on for rule in fitted.values()), ""),
        config=json.dumps(origin.config, indent=2, ensure_ascii=False) if origin and origin.config else "",
        published=published_table(published_rows()) if report.published else None,
        classified=report.classification or (),
        classified_headings=HEADINGS,
        cards=report.cards,
        **_gallery(report),
        curves=training.curves(report.progress),
        angles=training.angles(report.progress),
        tags=tags.groups(report.tags) if report.tags else [],
        regions=regions(report.regions) if report.regions else None,
        noun_lists=_noun_lists(material),
        open_set=open_set(report.open_set),
        counts=report.counts,
        costs=None if report.jobs is None else _costs(report.jobs),
        bundled=any(row.embedder.startswith("bundled:") for row in scores.rows),
        unreadable=sorted(
            {(one.image_set, *unreadable) for one in material.predictions for unreadable in one.unreadable.items()}
        ),
    )


def _gallery(report: Report) -> dict[str, Any]:
    """Notes and filters of the gallery."""
    cards = [card for card, _ in report.cards]
    said = [one for card in cards for one in card.said]
    unjudged = any(guess.verdict == "unjudged" for one in said for guess in one.guesses)
    return {
        "gallery_note": words.gallery(len(cards), report.images, report.material),
        "gallery_runs": list(dict.fromkeys(one.run for one in said)),
        "gallery_sets": sorted({card.image_set for card in cards}),
        "sure_and_wrong": any(card.sure_and_wrong for card in cards),
        "verdicts": ["right", "close", "wrong", *(["unjudged"] if unjudged else [])],
    }


def _noun_lists(material: ScoringMaterial) -> list[dict[str, Any]]:
    """The heaviest nouns of each lexicon in use, and the nouns each run gave most."""
    lists = []
    for lexicon in sorted({run.lexicon for run in material.runs.values()}):
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


def _costs(jobs: pl.DataFrame) -> dict[str, Any] | None:
    """Time and memory by rule, the dearest first, and where it ran; None without jobs."""
    if jobs.is_empty():
        return None
    machines = jobs.select("host", "device").drop_nulls().iter_rows()
    return {
        "rules": list(by_rule(jobs).iter_rows(named=True)),
        "total": f"{len(jobs):,} jobs took {jobs['seconds'].sum():,.0f} seconds, one after the other.",
        # without the name of the machine, which is nobody's business, and the number of a SLURM job
        "places": sorted({f"{', '.join(host.split(', ')[1:3])}; device: {device}" for host, device in machines}),
    }
