"""What the report says in words."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from nounflow.config.noise import NoiseConfig
from nounflow.predictor_kinds import is_baseline
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import only_decoding
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.results import Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.wording import judged, kappa, percent, points
from nounflow.text import join_words

_FEW_IMAGES, _NEARLY_ALL = 20, 0.5  # images from which a run is warned of that says one noun of more than this share
_CATEGORIES = {
    "": "not judged",
    "correct_primary": "right",
    "correct_secondary": "right, a side element",
    "close_primary": "close",
    "close_secondary": "close, a side element",
    "incorrect": "wrong",
}


def headline(scores: Scores) -> tuple[str, str]:
    """The one thing that was found, and its figures: of the judged rows those on most images, the best run first."""
    judged_rows = [row for row in scores.rows if row.prediction_score is not None]
    if not judged_rows:
        n = max((row.n for row in scores.rows), default=0)
        return f"{n:,} photographs are named, and not one is judged", "So there is no score yet."
    largest = max(judged_rows, key=lambda row: (row.n, row.coverage or 0.0))
    group = [row for row in judged_rows if (row.image_set, row.annotator) == (largest.image_set, largest.annotator)]
    best, *others = sorted(group, key=lambda row: (-row.prediction_score, row.run))
    score = f"{percent(best.prediction_score)} of 100 (95 % interval {_range(percent, best)})"
    first = f"On {best.n:,} photographs of {judged(best)}, {best.run} scores {score}"
    if not others:
        return f"{best.run} names photographs with a score of {percent(best.prediction_score)}", f"{first}."
    second = others[0].run
    one = next(c for c in scores.comparisons if (c.image_set, c.annotator) == (best.image_set, best.annotator))
    i, j = one.runs.index(best.run), one.runs.index(second)
    low, high = one.low[i][j], one.high[i][j]
    figures = f"{points(one.difference[i][j])} points beside {second} (95 % interval {points(low)} to {points(high)})"
    if low <= 0 <= high:
        return f"{best.run} scores highest, but no difference from {second} is shown", f"{first}: {figures}."
    return f"{best.run} names photographs best", f"{first}: {figures}."


def _range(written: Callable[[float], str], row: ScoreRow) -> str:
    low, high = row.prediction_score_low, row.prediction_score_high
    return "–" if low is None or high is None else f"{written(low)} to {written(high)}"


def built(material: ScoringMaterial) -> str:
    """What the runs were made of."""
    sizes = sorted({len(run.manifest.nouns) for run in material.runs.values()})
    nouns = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return f"Built from captions of {nouns} nouns. Only the frozen embedder underneath has ever seen an image."


def judge(annotations: Annotations) -> str:
    """By which rule the judge judged, and how far people would have said the same."""
    said = f"Judged by: {annotations.rule}."
    if (found := annotations.agreement) is None:
        return said
    unseen = ", on pictures that its calibration was not fitted on" if found.held_out else ""
    return (
        f"{said} Of {found.pairs:,} nouns that {join_words(list(found.people))} judged too, {100 * found.share:.0f} % "
        f"got the same of the five categories; Cohen's kappa is {kappa(found.kappa)}, and "
        f"{kappa(found.kappa_coarse)} on correct, close and incorrect{unseen}."
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


def breakable(name: str) -> Markup:
    """A long name that may break behind its signs of parting, and not within words."""
    return Markup(re.sub(r"(?<=[\w.])([_/.:,-])(?=\w)", r"\1<wbr>", str(escape(name))))


def category(name: str) -> str:
    """A judged category in plain words; "" is an unjudged noun."""
    return _CATEGORIES[name]


def probability(value: float) -> str:
    """A probability as whole percent, "<1 %" below that."""
    return "<1 %" if 0 < value < 0.005 else f"{100 * value:.0f} %"


def noise(manifest: PredictorManifest) -> str:
    """A run's noise settings in one cell; a dash where it was not trained with noise."""
    settings = manifest.settings.get("noise")
    return NoiseConfig.model_validate(settings).described if settings and not is_baseline(manifest.predictor) else "–"


def monotonous(predictions: Sequence[Predictions]) -> list[str]:
    """A warning of each run that names nearly all images of a set alike: it has learnt nothing of them."""
    warnings = []
    for document in predictions:
        firsts = Counter(nouns[0] for nouns in only_decoding(document).pred if nouns)
        if (images := firsts.total()) < _FEW_IMAGES:
            continue
        ((noun, n),) = firsts.most_common(1)
        if n > _NEARLY_ALL * images:
            warnings.append(
                f"{document.run} says \u201c{noun}\u201d of {n:,} of {images:,} images of {document.image_set}: "
                "check its embedder, its noise and its training before you read its score."
            )
    return warnings
