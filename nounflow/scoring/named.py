"""How many tags of an image, or names of its boxes, an annotator finds right: precision, image by image."""

from typing import NamedTuple

import numpy as np

from nounflow.schemas.annotations import Annotations
from nounflow.schemas.named import NamedSet
from nounflow.scoring.answers import judgements, verdict
from nounflow.scoring.intervals import mean_interval
from nounflow.streams import stream

_VERDICTS = ("right", "close", "wrong", "unjudged")


class NamedRow(NamedTuple):
    """A row of results/named.tsv. Shares are means over images; None where nothing is judged."""

    image_set: str
    run: str
    annotator: str
    images: int  # that were given a noun
    nouns: int
    coverage: float  # share of the nouns that are judged
    precision: float | None  # of an image's judged nouns the right ones, over images with any
    precision_low: float | None  # its 95 % interval over images
    precision_high: float | None
    close: float | None  # of an image's judged nouns the close ones
    if_unjudged_wrong: float  # of all nouns of an image the right ones: the bounds of what full judgements would give
    if_unjudged_right: float
    kappa: float | None  # of a language model with people, on the pairs that both judged


def named_row(document: NamedSet, annotations: Annotations, seed: int) -> NamedRow:
    """Score what a run named by what an annotator said of it."""
    table = judgements(annotations)
    said: dict[str, list[int]] = {}
    for question in document.questions:
        known = table.get(question.name, {})
        verdicts = [_VERDICTS.index(verdict(known.get(noun))) for noun in question.nouns]
        said.setdefault(question.file, []).extend(verdicts)
    counts = np.array([np.bincount(found, minlength=4) for found in said.values() if found]).reshape(-1, 4)
    given, unjudged = counts.sum(axis=1), counts[:, 3]
    some = given > unjudged
    right, close = (counts[some] / (given - unjudged)[some][:, None]).T[:2]
    rng = stream(seed, "named", document.image_set, document.run, annotations.annotator)
    low, high = mean_interval(right, rng) if some.any() else (None, None)
    return NamedRow(
        document.image_set,
        document.run,
        annotations.annotator,
        len(counts),
        int(given.sum()),
        float(1 - unjudged.sum() / max(1, given.sum())),
        float(right.mean()) if some.any() else None,
        low,
        high,
        float(close.mean()) if some.any() else None,
        float((counts[:, 0] / given).mean()) if len(counts) else 0.0,
        float(((counts[:, 0] + unjudged) / given).mean()) if len(counts) else 0.0,
        annotations.agreement.kappa if annotations.agreement else None,
    )
