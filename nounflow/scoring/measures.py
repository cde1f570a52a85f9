"""What is measured of a run on an image set under an annotator: `MEASURES`, in the order in which they are shown.

A new measure is a function here under `@measure(heading, format, description)`. Its columns in `scores.tsv` and
`scores.json` follow from that, and so does its place in Markdown, in LaTeX, on the terminal and in the report.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nounflow.errors import NounflowError
from nounflow.scoring.calibration import calibration, calibration_interval, risk_coverage
from nounflow.scoring.evaluation import Evaluation
from nounflow.scoring.intervals import mean_interval
from nounflow.scoring.label_values import (
    CONCEPTS,
    cluster_values,
    hierarchical_values,
    inclusion_values,
    similarity_values,
)
from nounflow.scoring.measure import Format, Found, Function, Measure, Place
from nounflow.scoring.values import correct_values, overall_values, prediction_values, primary_values
from nounflow.scoring.variants import nearness_values, with_synonyms
from nounflow.text import canon

MEASURES: list[Measure] = []


def measure(heading: str, format: Format, description: str, **further: Any) -> Callable[[Function], Function]:
    """Makes a function a measure, named after it; the arguments are fields of `Measure`."""

    def register(function: Function) -> Function:
        MEASURES.append(Measure(function, heading, format, description, **further))
        return function

    return register


@measure("judged", "share", "Share of first nouns that were judged; others count as wrong")
def coverage(evaluation: Evaluation, run: str) -> Found:
    return evaluation.judged[run].coverage


@measure(
    "prediction",
    "score",
    "Prediction score: points for the first noun of each image",
    report_heading="Score",
    beside=("prediction_score_low", "prediction_score_high", "score_if_unjudged_right"),
    stream="score",
)
def prediction_score(evaluation: Evaluation, run: str) -> Found:
    return prediction_values(evaluation.judged[run])


@measure("primary", "score", "The same, when a side element of the picture earns nothing")
def primary_score(evaluation: Evaluation, run: str) -> Found:
    return primary_values(evaluation.judged[run])


@measure("overall", "score", "The score, when a noun that says little earns half")
def overall_score(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    judged, nouns = evaluation.judged[run], evaluation.answers[run].nouns
    firsts = (nouns[image][:1] for image in judged.images)
    factors = np.array([evaluation.hierarchy.specificity(first[0]) if first else 1.0 for first in firsts])
    return overall_values(judged, factors)


@measure("top-1", "score", "Share of images whose first noun is right", report_heading="First right")
def top1_correct(evaluation: Evaluation, run: str) -> Found:
    return correct_values(evaluation.judged[run], 1)


@measure("top-5", "score", "Share of images with a right noun among the first five", report_heading="Right in 5")
def top5_correct(evaluation: Evaluation, run: str) -> Found:
    return correct_values(evaluation.judged[run], 5)


@measure("score in 3", "score", "Points for the best of the first three nouns of each image", places=())
def top3_score(evaluation: Evaluation, run: str) -> Found:
    return prediction_values(evaluation.judged[run], 3)


@measure("score in 5", "score", "Points for the best of the first five nouns of each image", places=())
def top5_score(evaluation: Evaluation, run: str) -> Found:
    return prediction_values(evaluation.judged[run], 5)


@measure("synonyms", "score", "The score, when names of one thing share their judgement", places=("tables",))
def synonym_score(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    answer, judged, labels = evaluation.answers[run], evaluation.judged[run], evaluation.image_set.labels
    return prediction_values(with_synonyms(answer, judged, evaluation.table, labels, evaluation.hierarchy))


@measure(
    "nearness",
    "interval",
    "How near the first noun is to the label in WordNet, 100 being the same",
    places=("tables", "report"),
)
def hierarchical_score(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    images, labels = evaluation.judged[run].images, evaluation.image_set.labels
    values = nearness_values(evaluation.answers[run], images, labels, evaluation.hierarchy)
    if not len(values):
        return None
    return float(values.mean()), *mean_interval(values, evaluation.stream("hierarchical", run))


@measure("ceiling", "share", "Share of images whose label the lexicon can say at all", places=("terminal", "report"))
def ceiling(evaluation: Evaluation, run: str) -> Found:
    labels, sayable = evaluation.image_set.labels, evaluation.runs[run].lexicon.entries
    held = [labels[image] for image in evaluation.answers[run].nouns if image in labels]
    if not held:
        return None
    return sum(any(canon(noun) in sayable for noun in (label.gold, *label.accepted)) for label in held) / len(held)


@measure("nouns", "count", "How many different first nouns the run used", report_heading="Different nouns")
def distinct_nouns(evaluation: Evaluation, run: str) -> Found:
    return len(evaluation.answers[run].first_noun_counts)


@measure(
    "ms",
    "decimal",
    "Milliseconds to open, embed and name one image",
    report_heading="ms an image",
    places=("terminal", "report"),
)
def ms_per_image(evaluation: Evaluation, run: str) -> Found:
    return evaluation.answers[run].milliseconds


@measure(
    "minus retrieval",
    "difference",
    "Points more or less than the retrieval baseline, on the same images",
    beside=("difference_low", "difference_high", "difference_p"),
)
def difference_to_retrieval(evaluation: Evaluation, run: str) -> Found:
    baseline = evaluation.baseline(run)
    if baseline is None or not evaluation.any_judged(run):
        return None
    difference, estimate = evaluation.difference(run, baseline)
    return difference, *estimate


@measure(
    "effective nouns",
    "decimal",
    "exp of the entropy of the first nouns: so many equally frequent ones would be as diverse",
    places=(),
)
def effective_nouns(evaluation: Evaluation, run: str) -> Found:
    shares = _first_noun_shares(evaluation, run)
    return float(np.exp(-(shares @ np.log(shares)))) if len(shares) else None


@measure("commonest noun", "share", "Share of the answered images with the commonest first noun", places=())
def top_noun_share(evaluation: Evaluation, run: str) -> Found:
    shares = _first_noun_shares(evaluation, run)
    return float(shares[0]) if len(shares) else None


@measure(
    "calibration error", "interval", "How far the run's own probabilities are off, over judged first nouns", places=()
)
def calibration_error(evaluation: Evaluation, run: str) -> Found:
    if not evaluation.any_judged(run):
        return None
    probability, correct = evaluation.claims(run)
    interval = calibration_interval(probability, correct, evaluation.stream("calibration", run))
    return calibration(probability, correct)[0], *interval


@measure("mean risk", "share", "Share of wrong first nouns among the surest, averaged over all coverages", places=())
def risk_coverage_area(evaluation: Evaluation, run: str) -> Found:
    return risk_coverage(*evaluation.claims(run)).area if evaluation.any_judged(run) else None


# From here on: how others compare an answer with the label. Shown where they are asked for.


@measure("hP", "interval", "Share of the first noun's chain in WordNet that the label has too", places=())
def hierarchical_precision(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    return _mean(hierarchical_values(evaluation, run)[:, 0], evaluation, "hierarchical_precision", run)


@measure("hR", "interval", "Share of the label's chain in WordNet that the first noun has too", places=())
def hierarchical_recall(evaluation: Evaluation, run: str) -> Found:
    if evaluation.hierarchy is None:
        return None
    return _mean(hierarchical_values(evaluation, run)[:, 1], evaluation, "hierarchical_recall", run)


@measure("text inclusion", "interval", "Share of first nouns in which the label stands letter by letter", places=())
def text_inclusion(evaluation: Evaluation, run: str) -> Found:
    return _mean(inclusion_values(evaluation, run), evaluation, "text_inclusion", run)


@measure("judge inclusion", "score", "Share of first nouns that a language model finds right", places=())
def judge_inclusion(evaluation: Evaluation, run: str) -> Found:
    return correct_values(evaluation.judged[run], 1) if evaluation.by_language_model else None


@measure("sentence similarity", "interval", "Cosine of first noun and label as sentences (MiniLM)", places=())
def sentence_similarity(evaluation: Evaluation, run: str) -> Found:
    if not evaluation.sentences:
        return None
    return _mean(similarity_values(evaluation, run), evaluation, "sentence_similarity", run)


@measure("concept similarity", "interval", "The same with the nearest of the first five nouns", places=())
def concept_similarity(evaluation: Evaluation, run: str) -> Found:
    if not evaluation.sentences:
        return None
    return _mean(similarity_values(evaluation, run, CONCEPTS), evaluation, "concept_similarity", run)


@measure("cluster accuracy", "interval", "Share of images whose first noun is the one matched to its label", places=())
def cluster_accuracy(evaluation: Evaluation, run: str) -> Found:
    return _mean(cluster_values(evaluation, run), evaluation, "cluster_accuracy", run)


BY_NAME = {measure.name: measure for measure in MEASURES}


def shown(place: Place, further: Iterable[str] = ()) -> list[Measure]:
    """The measures of a place, and those asked for beside them, by name or heading.

    Raises:
        NounflowError: there is no such measure.
    """
    by_heading = {measure.heading: measure.name for measure in MEASURES}
    wanted = {by_heading.get(name, name) for name in further}
    if strange := sorted(wanted - BY_NAME.keys()):
        raise NounflowError(f"There is no measure called '{strange[0]}'", fix=f"take some of {', '.join(BY_NAME)}")
    return [measure for measure in MEASURES if place in measure.places or measure.name in wanted]


def _mean(values: np.ndarray, evaluation: Evaluation, name: str, run: str) -> Found:
    """The mean over labelled images with its interval; None without labels."""
    if not len(values):
        return None
    return float(values.mean()), *mean_interval(values, evaluation.stream(name, run))


def _first_noun_shares(evaluation: Evaluation, run: str) -> np.ndarray:
    counts = np.array(evaluation.answers[run].first_noun_counts, dtype=float)
    return np.asarray(counts / max(1.0, counts.sum()))
