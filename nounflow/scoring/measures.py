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
from nounflow.scoring.measure import Format, Found, Function, Measure, Place
from nounflow.scoring.values import correct_values, overall_values, prediction_values, primary_values
from nounflow.scoring.variants import with_synonyms
from nounflow.text import canon

CONCEPTS = 5  # first nouns of an answer, of which the nearest to the label counts
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


@measure("overall", "score", "The score, when a noun that says little earns half", needs="hierarchy")
def overall_score(evaluation: Evaluation, run: str) -> Found:
    judged = evaluation.judged[run]
    factors = [evaluation.wordnet.specificity(noun) if noun else 1.0 for noun in judged.first_nouns]
    return overall_values(judged, np.array(factors))


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


@measure(
    "synonyms",
    "score",
    "The score, when names of one thing share their judgement",
    places=("tables",),
    needs="hierarchy",
)
def synonym_score(evaluation: Evaluation, run: str) -> Found:
    return prediction_values(with_synonyms(evaluation, run))


@measure(
    "nearness",
    "interval",
    "How near the first noun is to the label in WordNet, 100 being the same",
    places=("tables", "report"),
    stream="hierarchical",
    needs="hierarchy",
)
def hierarchical_score(evaluation: Evaluation, run: str) -> Found:
    nearness = evaluation.wordnet.nearness_to_label
    return np.array([nearness(nouns[0], label) if nouns else 0.0 for nouns, label in evaluation.labelled(run)])


@measure("ceiling", "share", "Share of images whose label the lexicon can say at all", places=("terminal", "report"))
def ceiling(evaluation: Evaluation, run: str) -> Found:
    sayable = evaluation.runs[run].entries
    labels = [label for _, label in evaluation.labelled(run)]
    if not labels:
        return None
    return sum(any(canon(noun) in sayable for noun in (one.gold, *one.accepted)) for one in labels) / len(labels)


@measure("nouns", "count", "How many different first nouns the run used", report_heading="Different nouns")
def distinct_nouns(evaluation: Evaluation, run: str) -> Found:
    return len(evaluation.judged[run].first_noun_counts)


@measure(
    "ms",
    "decimal",
    "Milliseconds to open, embed and name one image",
    report_heading="ms an image",
    places=("terminal", "report"),
)
def ms_per_image(evaluation: Evaluation, run: str) -> Found:
    return evaluation.judged[run].milliseconds


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


# From here on: how the open-world evaluations of others compare an answer with the label alone. Shown where asked for.
# Precision and recall over WordNet: Snaebjarnarson et al. 2025 (Taxonomy-aware evaluation of vision-language models).
# Text inclusion, sentence and concept similarity: Conti et al. 2025 (On large multimodal models as open-world image
# classifiers). Cluster accuracy: Yang et al. 2010 (Image clustering using local discriminant models).


@measure(
    "hP", "interval", "Share of the first noun's chain in WordNet that the label has too", places=(), needs="hierarchy"
)
def hierarchical_precision(evaluation: Evaluation, run: str) -> Found:
    return _overlaps(evaluation, run)[:, 0]


@measure(
    "hR", "interval", "Share of the label's chain in WordNet that the first noun has too", places=(), needs="hierarchy"
)
def hierarchical_recall(evaluation: Evaluation, run: str) -> Found:
    return _overlaps(evaluation, run)[:, 1]


@measure("text inclusion", "interval", "Share of first nouns in which the label stands letter by letter", places=())
def text_inclusion(evaluation: Evaluation, run: str) -> Found:
    rows = [bool(nouns) and canon(label.gold) in canon(nouns[0]) for nouns, label in evaluation.labelled(run)]
    return np.array(rows, dtype=np.float64)


@measure(
    "judge inclusion",
    "score",
    "Share of first nouns that a language model finds right",
    places=(),
    needs="by_language_model",
)
def judge_inclusion(evaluation: Evaluation, run: str) -> Found:
    return correct_values(evaluation.judged[run], 1)


@measure(
    "sentence similarity",
    "interval",
    "Cosine of first noun and label as sentences (MiniLM)",
    places=(),
    needs="sentences",
)
def sentence_similarity(evaluation: Evaluation, run: str) -> Found:
    return _similarities(evaluation, run, 1)


@measure(
    "concept similarity",
    "interval",
    "The same with the nearest of the first five nouns",
    places=(),
    needs="sentences",
)
def concept_similarity(evaluation: Evaluation, run: str) -> Found:
    return _similarities(evaluation, run, CONCEPTS)


@measure("cluster accuracy", "interval", "Share of images whose first noun is the one matched to its label", places=())
def cluster_accuracy(evaluation: Evaluation, run: str) -> Found:
    # Names are clusters: each first noun is matched to one gold noun at most, and each gold noun to one first noun, so
    # that most images agree (the assignment problem). What a name means does not count, only that it is used alike.
    from scipy.optimize import linear_sum_assignment

    pairs = [(nouns[0] if nouns else "", canon(label.gold)) for nouns, label in evaluation.labelled(run)]
    said, meant = (sorted({pair[side] for pair in pairs if pair[0]}) for side in (0, 1))
    counts = np.zeros((len(said), len(meant)))
    row, column = ({name: place for place, name in enumerate(names)} for names in (said, meant))
    for noun, gold in pairs:
        if noun:
            counts[row[noun], column[gold]] += 1
    chosen = set(zip(*(part.tolist() for part in linear_sum_assignment(counts, maximize=True)), strict=True))
    return np.array([bool(noun) and (row[noun], column[gold]) in chosen for noun, gold in pairs], dtype=np.float64)


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


def _overlaps(evaluation: Evaluation, run: str) -> np.ndarray:
    """hP and hR of the first noun, float64 [labelled images, 2].

    A(x) is a synset and all above it: hP = |A(p) & A(g)| / |A(p)|, hR = |A(p) & A(g)| / |A(g)|. Of several senses, and
    of the label and what is accepted beside it, the pair with the greatest harmonic mean counts.
    """
    overlap = evaluation.wordnet.overlap
    rows = [overlap(nouns[0], label) if nouns else (0.0, 0.0) for nouns, label in evaluation.labelled(run)]
    return np.array(rows).reshape(-1, 2)


def _similarities(evaluation: Evaluation, run: str, concepts: int) -> np.ndarray:
    """Greatest cosine of the label's vector with those of the first nouns; 0 without answer; [labelled images]."""
    vectors = evaluation.sentences
    rows = [
        max((float(vectors[noun] @ vectors[label.gold]) for noun in nouns[:concepts]), default=0.0)
        for nouns, label in evaluation.labelled(run)
    ]
    return np.array(rows)


def _first_noun_shares(evaluation: Evaluation, run: str) -> np.ndarray:
    counts = np.array(evaluation.judged[run].first_noun_counts, dtype=float)
    return np.asarray(counts / max(1.0, counts.sum()))
