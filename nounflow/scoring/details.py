"""What stands behind a row of the table: by k, by kind and frequency, diversity, calibration."""

from typing import Any

from nounflow.scoring.calibration import calibration, risk_coverage
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.results import Details, TopK
from nounflow.scoring.values import prediction_values, top_k
from nounflow.scoring.variants import band, band_order, parts
from nounflow.text import canon

_CURVE = 1000  # nouns of a row whose counts are recorded


def details(evaluation: Evaluation, run: str) -> Details:
    """Of a run on an image set under an annotator; without judgements only the counts of nouns."""
    judged = evaluation.judged[run]
    found: dict[str, Any] = {}
    if evaluation.any_judged(run):
        probability, correct = evaluation.claims(run)
        _, bins = calibration(probability, correct)
        found = {
            "top_k": tuple(
                TopK(k=k, score=score, correct=correct, score_if_unjudged_right=bound)
                for k, score, correct, bound in top_k(judged)
            ),
            "calibration": bins,
            "risk_coverage": risk_coverage(probability, correct),
            **_parts(evaluation, run),
        }
    return Details(
        run=run,
        image_set=evaluation.image_set.name,
        annotator=evaluation.annotator,
        noun_counts=tuple(evaluation.answers[run].first_noun_counts[:_CURVE]),
        judged=int(judged.first_judged.sum()),
        **found,
    )


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
    values = prediction_values(judged)
    found = {
        key: parts(groups, values, judged, lambda name, key=key: evaluation.stream(key, run, name))  # type: ignore[misc]
        for key, groups in (("kinds", kinds), ("bands", bands))
    }
    found["bands"] = tuple(sorted(found["bands"], key=lambda part: band_order(part.name)))
    return {"parts_by": "label" if labelled else "noun"} | found
