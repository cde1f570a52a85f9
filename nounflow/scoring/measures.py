"""What is measured of a run on an image set under an annotator: the entries of `MEASURES`, and their functions.

A new measure is a function and an entry, both here. Its columns in `scores.tsv` and `scores.json` follow from the
entry, and so does its place in Markdown, in LaTeX, on the terminal and in the report.
"""

from dataclasses import astuple

import numpy as np

from nounflow.scoring.calibration import calibration, calibration_interval, risk_coverage
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.measure import Found, Measure
from nounflow.scoring.values import (
    Values,
    correct_values,
    mean_score,
    overall_values,
    prediction_values,
    primary_values,
)
from nounflow.scoring.variants import nearness_values, with_synonyms
from nounflow.text import canon


def coverage(evaluation: Evaluation, run: str) -> Found:
    return evaluation.judged[run].coverage


def prediction_score(evaluation: Evaluation, run: str) -> Found:
    return _mean_score(evaluation, run, "score", prediction_values(evaluation.judged[run]))


def primary_score(evaluation: Evaluation, run: str) -> Found:
    return _mean_score(evaluation, run, "primary_score", primary_values(evaluation.judged[run]))


def overall_score(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    judged, nouns = evaluation.judged[run], evaluation.answers[run].nouns
    firsts = (nouns[image][:1] for image in judged.images)
    factors = np.array([evaluation.hierarchy.specificity(first[0]) if first else 1.0 for first in firsts])
    return _mean_score(evaluation, run, "overall_score", overall_values(judged, factors))


def top1_correct(evaluation: Evaluation, run: str) -> Found:
    return _mean_score(evaluation, run, "top1_correct", correct_values(evaluation.judged[run], 1))


def top5_correct(evaluation: Evaluation, run: str) -> Found:
    return _mean_score(evaluation, run, "top5_correct", correct_values(evaluation.judged[run], 5))


def top3_score(evaluation: Evaluation, run: str) -> Found:
    return _mean_score(evaluation, run, "top3_score", prediction_values(evaluation.judged[run], 3))


def top5_score(evaluation: Evaluation, run: str) -> Found:
    return _mean_score(evaluation, run, "top5_score", prediction_values(evaluation.judged[run], 5))


def synonym_score(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    answer, judged, labels = evaluation.answers[run], evaluation.judged[run], evaluation.image_set.labels
    synonyms = with_synonyms(answer, judged, evaluation.table, labels, evaluation.hierarchy)
    return _mean_score(evaluation, run, "synonym_score", prediction_values(synonyms))


def hierarchical_score(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    images, labels = evaluation.judged[run].images, evaluation.image_set.labels
    values = nearness_values(evaluation.answers[run], images, labels, evaluation.hierarchy)
    if not len(values):
        return None
    return float(values.mean()), *mean_interval(values, evaluation.stream("hierarchical", run))


def ceiling(evaluation: Evaluation, run: str) -> Found:
    labels, sayable = evaluation.image_set.labels, evaluation.runs[run].lexicon.entries
    held = [labels[image] for image in evaluation.answers[run].nouns if image in labels]
    if not held:
        return None
    return sum(any(canon(noun) in sayable for noun in (label.gold, *label.accepted)) for label in held) / len(held)


def distinct_nouns(evaluation: Evaluation, run: str) -> Found:
    return len(evaluation.answers[run].first_noun_counts)


def ms_per_image(evaluation: Evaluation, run: str) -> Found:
    return evaluation.answers[run].milliseconds


def difference_to_retrieval(evaluation: Evaluation, run: str) -> Found:
    baseline = evaluation.baseline(run)
    if baseline is None or not evaluation.any_judged(run):
        return None
    difference, estimate = evaluation.difference(run, baseline)
    return difference, *estimate


def effective_nouns(evaluation: Evaluation, run: str) -> Found:
    shares = _first_noun_shares(evaluation, run)
    return float(np.exp(-(shares @ np.log(shares)))) if len(shares) else None


def top_noun_share(evaluation: Evaluation, run: str) -> Found:
    shares = _first_noun_shares(evaluation, run)
    return float(shares[0]) if len(shares) else None


def calibration_error(evaluation: Evaluation, run: str) -> Found:
    if not evaluation.any_judged(run):
        return None
    probability, correct = evaluation.claims(run)
    interval = calibration_interval(probability, correct, evaluation.stream("calibration", run))
    return calibration(probability, correct)[0], *interval


def risk_coverage_area(evaluation: Evaluation, run: str) -> Found:
    return risk_coverage(*evaluation.claims(run)).area if evaluation.any_judged(run) else None


def _mean_score(evaluation: Evaluation, run: str, name: str, values: Values) -> Found:
    """Mean, interval and bound; None where no first noun of the run is judged. `name`: of the random numbers."""
    if not evaluation.any_judged(run):
        return None
    return astuple(mean_score(values, evaluation.stream(name, run)))


def _first_noun_shares(evaluation: Evaluation, run: str) -> np.ndarray:
    counts = np.array(evaluation.answers[run].first_noun_counts, dtype=float)
    found: np.ndarray = counts / max(1.0, counts.sum())
    return found


MEASURES = (  # function, heading, format, description; in the order in which they are shown
    Measure(coverage, "judged", "share", "Share of first nouns that were judged; others count as wrong"),
    Measure(
        prediction_score,
        "prediction",
        "score",
        "Prediction score: points for the first noun of each image",
        report_heading="Score",
        beside=("prediction_score_low", "prediction_score_high", "score_if_unjudged_right"),
    ),
    Measure(primary_score, "primary", "score", "The same, when a side element of the picture earns nothing"),
    Measure(overall_score, "overall", "score", "The score, when a noun that says little earns half"),
    Measure(top1_correct, "top-1", "score", "Share of images whose first noun is right", report_heading="First right"),
    Measure(
        top5_correct,
        "top-5",
        "score",
        "Share of images with a right noun among the first five",
        report_heading="Right in 5",
    ),
    Measure(top3_score, "score in 3", "score", "Points for the best of the first three nouns of each image", places=()),
    Measure(top5_score, "score in 5", "score", "Points for the best of the first five nouns of each image", places=()),
    Measure(
        synonym_score,
        "synonyms",
        "score",
        "The score, when names of one thing share their judgement",
        places=("tables",),
    ),
    Measure(
        hierarchical_score,
        "nearness",
        "interval",
        "How near the first noun is to the label in WordNet, 100 being the same",
        places=("tables", "report"),
    ),
    Measure(
        ceiling,
        "ceiling",
        "share",
        "Share of images whose label the lexicon can say at all",
        places=("terminal", "report"),
    ),
    Measure(
        distinct_nouns,
        "nouns",
        "count",
        "How many different first nouns the run used",
        report_heading="Different nouns",
    ),
    Measure(
        ms_per_image,
        "ms",
        "decimal",
        "Milliseconds to open, embed and name one image",
        report_heading="ms an image",
        places=("terminal", "report"),
    ),
    Measure(
        difference_to_retrieval,
        "minus retrieval",
        "difference",
        "Points more or less than the retrieval baseline, on the same images",
        beside=("difference_low", "difference_high", "difference_p"),
    ),
    Measure(
        effective_nouns,
        "effective nouns",
        "decimal",
        "exp of the entropy of the first nouns: so many equally frequent ones would be as diverse",
        places=(),
    ),
    Measure(
        top_noun_share,
        "commonest noun",
        "share",
        "Share of the answered images with the commonest first noun",
        places=(),
    ),
    Measure(
        calibration_error,
        "calibration error",
        "interval",
        "How far the run's own probabilities are off, over judged first nouns",
        places=(),
    ),
    Measure(
        risk_coverage_area,
        "mean risk",
        "share",
        "Share of wrong first nouns among the surest, averaged over all coverages",
        places=(),
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
