"""Scores of every run on every image set under every annotator. Pure: documents in, rows and details out."""

from collections.abc import Mapping, Sequence
from typing import Any

from nounflow.schemas.annotations import Annotations, PeopleAgreement
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import answers, judge
from nounflow.scoring.comparison import compare
from nounflow.scoring.details import details
from nounflow.scoring.digests import row_digests
from nounflow.scoring.evaluation import Evaluation, ImageSet, ScoredRun
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.measures import MEASURES
from nounflow.scoring.points import Judgements, judgements
from nounflow.scoring.results import Details, Scores
from nounflow.scoring.rows import ScoreRow


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
                told = {"templates": templates} | digests[run, name] | agreements.get((name, annotator), {})
                found.append((_row(evaluation, run, told), details(evaluation, run)))
            if any(map(evaluation.any_judged, given)):
                comparisons.append(compare(evaluation))
    found.sort(key=lambda pair: (pair[0].run, pair[0].image_set, pair[0].annotator))
    comparisons.sort(key=lambda one: (one.image_set, one.annotator))
    rows, behind = zip(*found, strict=True) if found else ((), ())
    return Scores(seed=seed, rows=rows, details=behind, comparisons=tuple(comparisons))


def _with_people(agreement: PeopleAgreement | None) -> dict[str, Any]:
    """The cells that say how far a judge agrees with people."""
    if agreement is None:
        return {}
    return {
        "judge_kappa": agreement.kappa,
        "judge_kappa_coarse": agreement.kappa_coarse,
        "judge_pairs": agreement.pairs,
    }


def _row(evaluation: Evaluation, run: str, told: Mapping[str, Any]) -> ScoreRow:
    """`told`: cells that say what the row was made with."""
    answer, manifest = evaluation.answers[run], evaluation.runs[run].manifest
    cells: dict[str, Any] = dict(told)
    for measure in MEASURES:
        cells |= measure.cells(evaluation, run)
    return ScoreRow(
        run=run,
        predictor=manifest.predictor,
        lexicon=evaluation.runs[run].lexicon.name,
        embedder=manifest.embedder.spec,
        image_set=answer.image_set,
        annotator=evaluation.annotator,
        n=len(answer.nouns),
        unreadable=len(answer.unreadable),
        retrieval_run=evaluation.baseline(run) or "",
        seed=str(manifest.settings.get("seed", "")),
        **cells,
    )
