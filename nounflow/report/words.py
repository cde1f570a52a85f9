"""What the report says in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nounflow.config.noise import NoiseConfig
from nounflow.schemas.documents import Annotations, Predictions
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.measure import Measure
from nounflow.scoring.measures import MEASURES
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import percent, points, upper_bound
from nounflow.text import join_words

_MEASURES = tuple(measure for measure in MEASURES if "report" in measure.places)

SCORE_COLUMNS = tuple(  # heading, explanation
    (measure.report_heading or measure.heading.capitalize(), measure.description) for measure in _MEASURES
)

RUN_COLUMNS = ("Predictor", "Lexicon", "Embedder", "Parameters", "Training samples", "Noise", "Seed")

_METRICS = {"loss": "Loss", "noun_accuracy": "Nouns right", "token_accuracy": "Word pieces right"}

_CATEGORIES = {
    "": "not judged",
    "correct_primary": "right",
    "correct_secondary": "right, a side element",
    "close_primary": "close",
    "close_secondary": "close, a side element",
    "incorrect": "wrong",
}


def headline(predictions: Sequence[Predictions]) -> str:
    """How many images were named."""
    images = {(one.image_set, file) for one in predictions for file in (*one.samples, *one.unreadable)}
    return f"{len(images):,} {'image' if len(images) == 1 else 'images'}, named from words alone"


def lead(material: ScoringMaterial) -> str:
    """What was done, in two sentences."""
    runs = join_words([f"{name} ({run.manifest.predictor})" for name, run in material.runs.items()])
    sizes = sorted({len(run.manifest.nouns) for run in material.runs.values()})
    nouns = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return (
        f"Built from captions of {nouns} nouns, then shown pictures: {runs}. "
        "Only the frozen embedder underneath has ever seen an image."
    )


def score_cells(row: ScoreRow) -> list[tuple[str, str]]:
    """The cells of a row in the order of SCORE_COLUMNS, each with what stands small behind it."""
    return [_cell(measure, row) for measure in _MEASURES]


def judge(annotations: Annotations) -> str:
    """By which rule the judge judged, and how far people would have said the same."""
    said = f"Judged by: {annotations.rule}."
    if (found := annotations.agreement) is None:
        return said
    kappas = [f"{'undefined' if kappa is None else f'{kappa:.2f}'}" for kappa in (found.kappa, found.kappa_coarse)]
    unseen = ", on pictures that its calibration was not fitted on" if found.held_out else ""
    return (
        f"{said} Of {found.pairs:,} nouns that {join_words(list(found.people))} judged too, {100 * found.share:.0f} % "
        f"got the same of the five categories; Cohen's kappa is {kappas[0]}, and {kappas[1]} on correct, close and "
        f"incorrect{unseen}."
    )


def gallery(shown: int, images: int, material: ScoringMaterial) -> str:
    """What the gallery is and is not."""
    judges = sorted({document.annotator for document in material.annotations})
    judge = f" Judged by {judges[0]}." if len(judges) > 1 else ""
    return (
        f"{shown:,} of {images:,} images, each with the first three nouns and how probable the run held them. They "
        "were picked to show where runs differ and to mix right with wrong, so how many are right here is not the "
        f"score.{judge}"
    )


def category(name: str) -> str:
    """A judged category in plain words; "" is an unjudged noun."""
    return _CATEGORIES[name]


def metric(name: str) -> str:
    """A training metric in plain words."""
    return _METRICS.get(name, name.replace("_", " ").capitalize())


def probability(value: float) -> str:
    """A probability as whole percent, "<1 %" below that."""
    return "<1 %" if 0 < value < 0.005 else f"{100 * value:.0f} %"


def noise(settings: Mapping[str, Any]) -> str:
    """A run's noise settings in one cell."""
    return NoiseConfig.model_validate(settings).described


def reading(rows: Sequence[ScoreRow]) -> list[tuple[str, str]]:
    """Terms and limits, those that matter for these rows."""
    entries = [
        (
            "Score",
            "The first noun of each image earns 1 point if it names the main subject rightly, 0.8 if it rightly names "
            "a side element, 0.5 and 0.4 if it is close to these, and 0 if it is wrong. The score is the mean over "
            "all images; one that could not be read earns 0.",
        ),
        (
            "Interval",
            "Other images of the same kind would have given another score. The 95 % interval says how far off it may "
            "be: it comes from drawing the images anew, with replacement, 10,000 times. The luck of one training seed "
            "and the judge's own errors are not in it, and of twenty comparisons about one misses by chance.",
        ),
        (
            "Minus retrieval",
            "Retrieval gives the noun whose text embedding is nearest to the image: no training, a few lines of code. "
            "The difference is taken image by image. Where its interval holds 0 no difference is shown.",
        ),
        (
            "Judged",
            "A noun that nobody judged counts as wrong, so below 100 % the score is a lower bound; the dashed line in "
            "the chart ends where the score would be if all such nouns were right.",
        ),
        (
            "Overall",
            "Calling a robin a bird is safe and says little. The overall score halves the points of nouns of which "
            "WordNet has many kinds.",
        ),
        (
            "Nearness",
            "Two nouns are near if what they have in common in WordNet is rarely said (Lin's measure, with the "
            "frequencies of the lexicon). No judge takes part: the noun is held against the image's label.",
        ),
        (
            "Calibration",
            "Of the images that a run names with 80 % some 80 % should be right. The calibration error is how far off "
            "that is on average. Risk against coverage says how many names are wrong if only the surest are given.",
        ),
        (
            "Ceiling",
            "A run can only say what its lexicon holds. The ceiling is the share of labelled images whose label, or "
            "an accepted other name, is in it.",
        ),
        (
            "Marks",
            "Circle and check: right. Diamond and wave: close. Square and cross: wrong. Dashed ring: not judged.",
        ),
    ]
    if any(row.annotator == "wordnet" for row in rows):
        entries.append(
            (
                "The judge is a dictionary",
                "The wordnet judge never looks at the picture. It compares the noun with the image's label, by "
                "synonymy and by distance in WordNet, so it can call a fitting name wrong and an unfitting one close.",
            )
        )
    if any(row.embedder.startswith("bundled:") for row in rows):
        entries.append(
            (
                "The bundled embedder is not CLIP",
                "Its image side is an ImageNet classifier: a picture becomes a mixture of the embeddings of ten class "
                "names. What lies outside those thousand classes is guessed by likeness. Scores with it say little "
                "about the method on a model that learned text and images together.",
            )
        )
    return entries


def _cell(measure: Measure, row: ScoreRow) -> tuple[str, str]:
    value, *beside = (getattr(row, column) for column in measure.columns)
    if value is None:
        return "–", ""
    match measure.format:
        case "score" | "interval":
            aside = _brackets(percent, *beside[:2])
            if measure.format == "score" and (bound := upper_bound(measure, row)) is not None:
                aside += f"\nat most {percent(bound)}"
            return percent(value), aside
        case "difference":
            return points(value), _brackets(points, *beside[:2])
        case "count":
            return f"{value:,}", ""
        case "decimal":
            return f"{value:.1f}", ""
    return percent(value), ""


def _brackets(written: Callable[[float], str], low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{written(low)}, {written(high)}]"
