"""Scores of every run on every image set under every annotator. Pure: documents in, rows and details out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nounflow.schemas.annotations import Annotations
from nounflow.schemas.labels import Labels
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import judge, judgements, only_decoding
from nounflow.scoring.calibration import calibration, risk_coverage
from nounflow.scoring.comparison import compare
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.measures import CONCEPTS, MEASURES
from nounflow.scoring.provenance import row_digests
from nounflow.scoring.results import Details, Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.values import top_k
from nounflow.scoring.variants import band, band_order, parts
from nounflow.text import canon


def score_all(
    material: ScoringMaterial,
    *,
    seed: int = 1,
    hierarchy: Hierarchy | None = None,
    templates: str = "",
    encode: Callable[[list[str]], np.ndarray] | None = None,
) -> Scores:
    """A row for each run x image set x annotator, sorted by these names, and what stands behind it.

    An image set that no annotator judged has one row a run, with an empty annotator.

    Args:
        seed: of the bootstrap draws.
        hierarchy: without it there are no overall, synonym and hierarchical scores.
        templates: digest of the caption templates.
        encode: texts to unit vectors [n, dim]; without it there are no sentence and concept similarities.

    Raises:
        NounflowError: contradicting judgements, several decoding configurations in a file, or runs that are to be
            compared but were made on different images.
    """
    found: list[tuple[ScoreRow, Details]] = []
    comparisons = []
    for name in sorted({document.image_set for document in material.predictions}):
        given = sorted((one for one in material.predictions if one.image_set == name), key=lambda one: one.run)
        runs, labels = material.runs, material.labels[name]
        digests = {one.run: row_digests(one, runs[one.run].manifest, labels) for one in given}
        sentences = _sentences(given, labels, encode) if encode else {}
        judges: list[Annotations | None] = [one for one in material.annotations if one.image_set == name]
        for by in judges or [None]:
            table = judgements(by) if by else {}
            evaluation = Evaluation(
                image_set=name,
                labels=labels,
                annotator=by.annotator if by else "",
                table=table,
                runs=runs,
                judged={one.run: judge(one, table) for one in given},
                hierarchy=hierarchy,
                seed=seed,
                sentences=sentences,
                by_language_model=bool(by and by.by_language_model),
            )
            told: dict[str, Any] = {"templates": templates}
            if by and by.agreement:
                told |= {f"judge_{of}": getattr(by.agreement, of) for of in ("kappa", "kappa_coarse", "pairs")}
            for run, own in digests.items():
                found.append((_row(evaluation, run, told | own), details(evaluation, run)))
            if any(map(evaluation.any_judged, digests)):
                comparisons.append(compare(evaluation))
    found.sort(key=lambda pair: (pair[0].run, pair[0].image_set, pair[0].annotator))
    comparisons.sort(key=lambda one: (one.image_set, one.annotator))
    rows, behind = zip(*found, strict=True) if found else ((), ())
    return Scores(seed=seed, rows=rows, details=behind, comparisons=tuple(comparisons))


def _sentences(
    given: Sequence[Predictions], labels: Mapping[str, Labels], encode: Callable[[list[str]], np.ndarray]
) -> dict[str, np.ndarray]:
    """The vectors of all labels and of the first nouns of their images."""
    texts = {label.gold for label in labels.values()}
    for one in given:
        rows = zip(one.samples, only_decoding(one).pred, strict=True)
        texts |= {noun for image, nouns in rows if image in labels for noun in nouns[:CONCEPTS]}
    ordered = sorted(texts)
    return dict(zip(ordered, encode(ordered), strict=True))


def _row(evaluation: Evaluation, run: str, told: Mapping[str, Any]) -> ScoreRow:
    """`told`: cells that say what the row was made with."""
    judged, manifest = evaluation.judged[run], evaluation.runs[run].manifest
    cells: dict[str, Any] = dict(told)
    for measure in MEASURES:
        cells |= measure.cells(evaluation, run)
    return ScoreRow(
        run=run,
        predictor=manifest.predictor,
        lexicon=evaluation.runs[run].lexicon,
        embedder=manifest.embedder.spec,
        image_set=evaluation.image_set,
        annotator=evaluation.annotator,
        n=len(judged.images),
        unreadable=judged.unreadable,
        retrieval_run=evaluation.baseline(run) or "",
        seed=str(manifest.settings.get("seed", "")),
        **cells,
    )


_CURVE = 1000  # nouns of a row whose counts are recorded


def details(evaluation: Evaluation, run: str) -> Details:
    """By k, by kind and frequency, diversity and calibration of a run; without judgements only the counts of nouns."""
    judged = evaluation.judged[run]
    found: dict[str, Any] = {}
    if evaluation.any_judged(run):
        probability, correct = evaluation.claims(run)
        _, bins = calibration(probability, correct)
        found = {
            "top_k": top_k(judged),
            "calibration": bins,
            "risk_coverage": risk_coverage(probability, correct),
            **_parts(evaluation, run),
        }
    return Details(
        run=run,
        image_set=evaluation.image_set,
        annotator=evaluation.annotator,
        noun_counts=tuple(judged.first_noun_counts[:_CURVE]),
        judged=int(judged.first_judged.sum()),
        **found,
    )


def _parts(evaluation: Evaluation, run: str) -> dict[str, Any]:
    """The prediction score by kind and by frequency: of the label, or where nothing is labelled of the first noun."""
    judged, labels, entries = evaluation.judged[run], evaluation.labels, evaluation.runs[run].entries
    labelled = any(image in labels for image in judged.images)
    kinds, bands = [], []
    for image, first in zip(judged.images, judged.first_nouns, strict=True):
        label = labels.get(image)
        noun = (label.gold if label else "") if labelled else first
        kind, frequency = entries.get(canon(noun), ("", None))
        if evaluation.hierarchy and label and (label.sense or not kind):
            kind = evaluation.hierarchy.lexname(label.gold, label.sense)
        kinds.append((kind or "unknown") if noun else "")
        bands.append(band(frequency) if noun else "")
    return {
        "parts_by": "label" if labelled else "noun",
        "kinds": parts(evaluation, run, "kinds", kinds),
        "bands": tuple(sorted(parts(evaluation, run, "bands", bands), key=lambda part: band_order(part.name))),
    }
