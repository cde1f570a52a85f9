"""Scores of every run on every image set under every annotator. Pure: documents in, rows and details out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nounflow.schemas.documents import Annotations, PeopleAgreement, Predictions
from nounflow.scoring.answers import RunAnswers, answers, judge
from nounflow.scoring.calibration import calibration, calibration_interval, risk_coverage
from nounflow.scoring.digests import row_digests
from nounflow.scoring.evaluation import Evaluation, ImageSet, ScoredLexicon, ScoredRun, compare
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.measures import Values, first_correct, image_values, measured, prediction_values, top_k
from nounflow.scoring.points import Judgements, judgements
from nounflow.scoring.results import Details, Scores, TopK
from nounflow.scoring.table import ScoreRow
from nounflow.scoring.variants import band, band_order, nearness_values, parts, with_synonyms
from nounflow.text import canon

_CURVE = 1000  # nouns of a row whose counts are recorded


def score_all(
    predictions: Sequence[Predictions],
    annotations: Sequence[Annotations],
    runs: Mapping[str, ScoredRun],
    image_sets: Mapping[str, ImageSet],
    *,
    seed: int = 1,
    hierarchy: Hierarchy | None = None,
    templates: str = "",
) -> Scores:
    """A row for each run x image set x annotator, sorted by these names, and what stands behind it.

    An image set that no annotator judged has one row a run, with an empty annotator.

    Args:
        runs: by name; holds every run that is in `predictions`.
        image_sets: by name; holds every image set that is in `predictions`.
        seed: of the bootstrap draws.
        hierarchy: without it there are no overall, synonym and hierarchical scores.
        templates: digest of the caption templates.

    Raises:
        NounflowError: contradicting judgements, several decoding configurations in a file, or runs that are to be
            compared but were made on different images.
    """
    judged: dict[str, list[tuple[str, Judgements]]] = {}
    for document in annotations:
        judged.setdefault(document.image_set, []).append((document.annotator, judgements(document)))
    agreements = {(one.image_set, one.annotator): _with_people(one.agreement) for one in annotations}
    digests = {
        (one.run, one.image_set): row_digests(one, runs[one.run].manifest, image_sets[one.image_set].labels)
        for one in predictions
    }
    found: list[tuple[ScoreRow, Details]] = []
    comparisons = []
    for name in sorted({document.image_set for document in predictions}):
        given = {one.run: answers(one) for one in predictions if one.image_set == name}
        given = dict(sorted(given.items()))
        for annotator, table in judged.get(name, [("", {})]):
            codes = {run: judge(answer, table) for run, answer in given.items()}
            evaluation = Evaluation(image_sets[name], annotator, table, runs, given, codes, hierarchy, seed)
            for run in given:
                row, details = _row(evaluation, run)
                told = {"templates": templates} | digests[run, name] | agreements.get((name, annotator), {})
                found.append((row.model_copy(update=told), details))
            if any(one.first_judged.any() for one in codes.values()):
                comparisons.append(compare(evaluation))
    found.sort(key=lambda pair: (pair[0].run, pair[0].image_set, pair[0].annotator))
    comparisons.sort(key=lambda one: (one.image_set, one.annotator))
    rows, details_of_rows = zip(*found, strict=True) if found else ((), ())
    return Scores(seed=seed, rows=rows, details=details_of_rows, comparisons=tuple(comparisons))


def _with_people(agreement: PeopleAgreement | None) -> dict[str, Any]:
    """The cells that say how far a judge agrees with people."""
    if agreement is None:
        return {}
    return {
        "judge_kappa": agreement.kappa,
        "judge_kappa_coarse": agreement.kappa_coarse,
        "judge_pairs": agreement.pairs,
    }


def _row(evaluation: Evaluation, run: str) -> tuple[ScoreRow, Details]:
    answer, judged = evaluation.answers[run], evaluation.judged[run]
    manifest, lexicon = evaluation.runs[run].manifest, evaluation.runs[run].lexicon
    peer = _retrieval_peer(evaluation, run)
    first = Counter(nouns[0] for nouns in answer.nouns.values() if nouns)
    counts = np.array(sorted(first.values(), reverse=True), dtype=float)
    shares = counts / max(1.0, counts.sum())
    row = ScoreRow(
        run=run,
        predictor=manifest.predictor,
        lexicon=lexicon.name,
        embedder=manifest.embedder.spec,
        image_set=answer.image_set,
        annotator=evaluation.annotator,
        n=len(answer.nouns),
        coverage=judged.coverage,
        distinct_nouns=len(first),
        ceiling=_ceiling(answer, lexicon, evaluation.image_set),
        ms_per_image=answer.milliseconds,
        unreadable=len(answer.unreadable),
        retrieval_run=peer or "",
        effective_nouns=float(np.exp(-(shares @ np.log(shares)))) if len(shares) else None,
        top_noun_share=float(shares[0]) if len(shares) else None,
        seed=str(manifest.settings.get("seed", "")),
        **_nearness(evaluation, run),
    )
    details = Details(
        run=run,
        image_set=answer.image_set,
        annotator=evaluation.annotator,
        noun_counts=tuple(counts[:_CURVE].astype(int).tolist()),
        judged=int(judged.first_judged.sum()),
    )
    if not details.judged:
        return row, details
    cells = _measures(evaluation, run) | ({} if peer is None else _difference(evaluation, run, peer))
    found, probabilities = _probabilities(evaluation, run)
    cells |= found
    tops = tuple(
        TopK(k=k, score=score, correct=correct, score_if_unjudged_right=bound)
        for k, score, correct, bound in top_k(judged)
    )
    probabilities |= {"top_k": tops} | _parts(evaluation, run)
    return row.model_copy(update=cells), details.model_copy(update=probabilities)


def _measures(evaluation: Evaluation, run: str) -> dict[str, float]:
    """The cells of every score that the judgements give."""
    answer, judged, hierarchy = evaluation.answers[run], evaluation.judged[run], evaluation.hierarchy
    factors = None
    if hierarchy:
        firsts = (answer.nouns[image][:1] for image in judged.images)
        factors = np.array([hierarchy.specificity(nouns[0]) if nouns else 1.0 for nouns in firsts])
    measures = image_values(judged, factors)
    if hierarchy:
        synonyms = with_synonyms(answer, judged, evaluation.table, evaluation.image_set.labels, hierarchy)
        measures["synonym_score"] = prediction_values(synonyms)
    cells: dict[str, float] = {}
    for name, values in measures.items():
        measure = measured(values, evaluation.stream("score" if name == "prediction_score" else name, run))
        bound = "score_if_unjudged_right" if name == "prediction_score" else f"{name}_if_unjudged_right"
        cells |= {name: measure.value, f"{name}_low": measure.low, f"{name}_high": measure.high}
        cells[bound] = measure.if_unjudged_right
    return cells


def _nearness(evaluation: Evaluation, run: str) -> dict[str, float]:
    """The hierarchical score: it needs labels, and no judgements."""
    if evaluation.hierarchy is None:
        return {}
    images, labels = evaluation.judged[run].images, evaluation.image_set.labels
    values = nearness_values(evaluation.answers[run], images, labels, evaluation.hierarchy)
    if not len(values):
        return {}
    low, high = mean_interval(values, evaluation.stream("hierarchical", run))
    name = "hierarchical_score"
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def _probabilities(evaluation: Evaluation, run: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Calibration of the judged first nouns: cells of the row, and details."""
    answer, judged = evaluation.answers[run], evaluation.judged[run]
    known = judged.first_judged
    held = np.array([answer.probability[image] for image, one in zip(judged.images, known, strict=True) if one])
    correct = first_correct(judged)[known]
    error, bins = calibration(held, correct)
    low, high = calibration_interval(held, correct, evaluation.stream("calibration", run))
    risk = risk_coverage(held, correct)
    cells = {"calibration_error": error, "calibration_error_low": low, "calibration_error_high": high}
    return cells | {"risk_coverage_area": risk.area}, {"calibration": bins, "risk_coverage": risk}


def _parts(evaluation: Evaluation, run: str) -> dict[str, Any]:
    """The prediction score by kind and by frequency: of the label, or where nothing is labelled of the first noun."""
    answer, judged = evaluation.answers[run], evaluation.judged[run]
    labels, entries = evaluation.image_set.labels, evaluation.runs[run].lexicon.entries
    labelled = any(image in labels for image in judged.images)
    kinds, bands = [], []
    for image in judged.images:
        label, nouns = labels.get(image), answer.nouns[image]
        noun = (label.gold if label else "") if labelled else (nouns[0] if nouns else "")
        kind, frequency = entries.get(canon(noun), ("", None))
        if evaluation.hierarchy and label and (label.sense or not kind):
            kind = evaluation.hierarchy.lexname(label.gold, label.sense)
        kinds.append((kind or "unknown") if noun else "")
        bands.append(band(frequency) if noun else "")
    values = Values(*prediction_values(judged))
    found = {
        key: parts(groups, values, judged, lambda name, key=key: evaluation.stream(key, run, name))  # type: ignore[misc]
        for key, groups in (("kinds", kinds), ("bands", bands))
    }
    found["bands"] = tuple(sorted(found["bands"], key=lambda part: band_order(part.name)))
    return {"parts_by": "label" if labelled else "noun"} | found


def _difference(evaluation: Evaluation, run: str, peer: str) -> dict[str, float]:
    difference, (low, high, p) = evaluation.difference(run, peer)
    return {"difference_to_retrieval": difference, "difference_low": low, "difference_high": high, "difference_p": p}


def _retrieval_peer(evaluation: Evaluation, run: str) -> str | None:
    """The retrieval run with this run's lexicon and embedder; of several, the first by name. None for retrieval runs
    themselves."""
    own = evaluation.runs[run].manifest
    if own.predictor == "retrieval":
        return None
    manifests = ((other, evaluation.runs[other].manifest) for other in evaluation.answers)
    peers = [
        other
        for other, manifest in manifests
        if manifest.predictor == "retrieval"
        and (manifest.lexicon, manifest.embedder.digest) == (own.lexicon, own.embedder.digest)
    ]
    return min(peers, default=None)


def _ceiling(answer: RunAnswers, lexicon: ScoredLexicon, image_set: ImageSet) -> float | None:
    """Share of the labelled images whose gold or accepted noun the lexicon can say at all."""
    labels = [image_set.labels[image] for image in answer.nouns if image in image_set.labels]
    if not labels:
        return None
    sayable = sum(any(canon(noun) in lexicon.forms for noun in (label.gold, *label.accepted)) for label in labels)
    return sayable / len(labels)
