"""What is measured of a run on an image set under an annotator: the entries of `MEASURES`, and their functions.

A new measure is a function and an entry, both here. Its columns in `scores.tsv` and `scores.json` follow from the
entry, and so does its place in Markdown, in LaTeX, on the terminal and in the report.
"""

from __future__ import annotations

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
    """Share of the answered images whose first noun is judged."""
    return evaluation.judged[run].coverage


def prediction_score(evaluation: Evaluation, run: str) -> Found:
    """Mean points of the first noun (NOVIC paper, section 4.2)."""
    return _mean_score(evaluation, run, "score", prediction_values(evaluation.judged[run]))


def primary_score(evaluation: Evaluation, run: str) -> Found:
    """The same without points for side elements (NOVIC paper, section 4.2)."""
    return _mean_score(evaluation, run, "primary_score", primary_values(evaluation.judged[run]))


def overall_score(evaluation: Evaluation, run: str) -> Found:
    """Mean points times how specific the noun is (NOVIC paper, section 4.2)."""
    if evaluation.hierarchy is None:
        return None
    judged, nouns = evaluation.judged[run], evaluation.answers[run].nouns
    firsts = (nouns[image][:1] for image in judged.images)
    factors = np.array([evaluation.hierarchy.specificity(first[0]) if first else 1.0 for first in firsts])
    return _mean_score(evaluation, run, "overall_score", overall_values(judged, factors))


def top1_correct(evaluation: Evaluation, run: str) -> Found:
    """Share of images whose first noun is right."""
    return _mean_score(evaluation, run, "top1_correct", correct_values(evaluation.judged[run], 1))


def top5_correct(evaluation: Evaluation, run: str) -> Found:
    """Share of images with a right noun among the first five."""
    return _mean_score(evaluation, run, "top5_correct", correct_values(evaluation.judged[run], 5))


def top3_score(evaluation: Evaluation, run: str) -> Found:
    """Mean points of the best of the first three nouns."""
    return _mean_score(evaluation, run, "top3_score", prediction_values(evaluation.judged[run], 3))


def top5_score(evaluation: Evaluation, run: str) -> Found:
    """Mean points of the best of the first five nouns."""
    return _mean_score(evaluation, run, "top5_score", prediction_values(evaluation.judged[run], 5))


def synonym_score(evaluation: Evaluation, run: str) -> Found:
    """The prediction score in which names of one thing share their judgement."""
    if evaluation.hierarchy is None:
        return None
    answer, judged, labels = evaluation.answers[run], evaluation.judged[run], evaluation.image_set.labels
    synonyms = with_synonyms(answer, judged, evaluation.table, labels, evaluation.hierarchy)
    return _mean_score(evaluation, run, "synonym_score", prediction_values(synonyms))


def hierarchical_score(evaluation: Evaluation, run: str) -> Found:
    """Nearness of the first noun to the label in WordNet: it needs labels, and no judgements."""
    if evaluation.hierarchy is None:
        return None
    images, labels = evaluation.judged[run].images, evaluation.image_set.labels
    values = nearness_values(evaluation.answers[run], images, labels, evaluation.hierarchy)
    if not len(values):
        return None
    return float(values.mean()), *mean_interval(values, evaluation.stream("hierarchical", run))


def ceiling(evaluation: Evaluation, run: str) -> Found:
    """Share of the labelled images whose gold or accepted noun the lexicon can say at all."""
    labels, forms = evaluation.image_set.labels, evaluation.runs[run].lexicon.forms
    held = [labels[image] for image in evaluation.answers[run].nouns if image in labels]
    if not held:
        return None
    return sum(any(canon(noun) in forms for noun in (label.gold, *label.accepted)) for label in held) / len(held)


def distinct_nouns(evaluation: Evaluation, run: str) -> Found:
    """Different first nouns."""
    return len(evaluation.answers[run].first_noun_counts)


def ms_per_image(evaluation: Evaluation, run: str) -> Found:
    """Milliseconds to open, embed and name one image."""
    return evaluation.answers[run].milliseconds


def difference_to_retrieval(evaluation: Evaluation, run: str) -> Found:
    """Prediction score minus the baseline's, paired image by image."""
    baseline = evaluation.baseline(run)
    if baseline is None or not evaluation.any_judged(run):
        return None
    difference, estimate = evaluation.difference(run, baseline)
    return difference, *estimate


def effective_nouns(evaluation: Evaluation, run: str) -> Found:
    """exp of the entropy of the first nouns."""
    shares = _first_noun_shares(evaluation, run)
    return float(np.exp(-(shares @ np.log(shares)))) if len(shares) else None


def top_noun_share(evaluation: Evaluation, run: str) -> Found:
    """Share of the answered images with the commonest first noun."""
    shares = _first_noun_shares(evaluation, run)
    return float(shares[0]) if len(shares) else None


def calibration_error(evaluation: Evaluation, run: str) -> Found:
    """Expected calibration error of the run's own probabilities, over judged first nouns."""
    if not evaluation.any_judged(run):
        return None
    probability, correct = evaluation.claims(run)
    interval = calibration_interval(probability, correct, evaluation.stream("calibration", run))
    return calibration(probability, correct)[0], *interval


def risk_coverage_area(evaluation: Evaluation, run: str) -> Found:
    """Share of wrong first nouns among the surest, averaged over all coverages."""
    return risk_coverage(*evaluation.claims(run)).area if evaluation.any_judged(run) else None


def _mean_score(evaluation: Evaluation, run: str, name: str, values: Values) -> Found:
    """Mean, interval and bound; None where no first noun of the run is judged. `name`: of the random numbers."""
    if not evaluation.any_judged(run):
        return None
    return astuple(mean_score(values, evaluation.stream(name, run)))


def _first_noun_shares(evaluation: Evaluation, run: str) -> np.ndarray:
    counts = np.array(evaluation.answers[run].first_noun_counts, dtype=float)
    return counts / max(1.0, counts.sum())


MEASURES = (  # in the order in which they are shown
    Measure(
        name="coverage",
        heading="judged",
        format="share",
        description="Share of first nouns that were judged; others count as wrong",
        function=coverage,
    ),
    Measure(
        name="prediction_score",
        heading="prediction",
        format="score",
        description="Prediction score: points for the first noun of each image",
        function=prediction_score,
        report_heading="Score",
        columns=("prediction_score", "prediction_score_low", "prediction_score_high", "score_if_unjudged_right"),
    ),
    Measure(
        name="primary_score",
        heading="primary",
        format="score",
        description="The same, when a side element of the picture earns nothing",
        function=primary_score,
    ),
    Measure(
        name="overall_score",
        heading="overall",
        format="score",
        description="The score, when a noun that says little earns half",
        function=overall_score,
    ),
    Measure(
        name="top1_correct",
        heading="top-1",
        format="score",
        description="Share of images whose first noun is right",
        function=top1_correct,
        report_heading="First right",
    ),
    Measure(
        name="top5_correct",
        heading="top-5",
        format="score",
        description="Share of images with a right noun among the first five",
        function=top5_correct,
        report_heading="Right in 5",
    ),
    Measure(
        name="top3_score",
        heading="score in 3",
        format="score",
        description="Points for the best of the first three nouns of each image",
        function=top3_score,
        places=(),
    ),
    Measure(
        name="top5_score",
        heading="score in 5",
        format="score",
        description="Points for the best of the first five nouns of each image",
        function=top5_score,
        places=(),
    ),
    Measure(
        name="synonym_score",
        heading="synonyms",
        format="score",
        description="The score, when names of one thing share their judgement",
        function=synonym_score,
        places=("tables",),
    ),
    Measure(
        name="hierarchical_score",
        heading="nearness",
        format="interval",
        description="How near the first noun is to the label in WordNet, 100 being the same",
        function=hierarchical_score,
        places=("tables", "report"),
    ),
    Measure(
        name="ceiling",
        heading="ceiling",
        format="share",
        description="Share of images whose label the lexicon can say at all",
        function=ceiling,
        places=("terminal", "report"),
    ),
    Measure(
        name="distinct_nouns",
        heading="nouns",
        format="count",
        description="How many different first nouns the run used",
        function=distinct_nouns,
        report_heading="Different nouns",
    ),
    Measure(
        name="ms_per_image",
        heading="ms",
        format="decimal",
        description="Milliseconds to open, embed and name one image",
        function=ms_per_image,
        report_heading="ms an image",
        places=("terminal", "report"),
    ),
    Measure(
        name="difference_to_retrieval",
        heading="minus retrieval",
        format="difference",
        description="Points more or less than the retrieval baseline, on the same images",
        function=difference_to_retrieval,
        columns=("difference_to_retrieval", "difference_low", "difference_high", "difference_p"),
    ),
    Measure(
        name="effective_nouns",
        heading="effective nouns",
        format="decimal",
        description="exp of the entropy of the first nouns: so many equally frequent ones would be as diverse",
        function=effective_nouns,
        places=(),
    ),
    Measure(
        name="top_noun_share",
        heading="commonest noun",
        format="share",
        description="Share of the answered images with the commonest first noun",
        function=top_noun_share,
        places=(),
    ),
    Measure(
        name="calibration_error",
        heading="calibration error",
        format="interval",
        description="How far the run's own probabilities are off, over judged first nouns",
        function=calibration_error,
        places=(),
    ),
    Measure(
        name="risk_coverage_area",
        heading="mean risk",
        format="share",
        description="Share of wrong first nouns among the surest, averaged over all coverages",
        function=risk_coverage_area,
        places=(),
    ),
)
