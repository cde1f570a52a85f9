"""What a run said, what an annotator made of it, as arrays over images, and what a judged noun is worth."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nounflow.errors import NounflowError
from nounflow.image_names import ByName
from nounflow.schemas.annotations import CATEGORIES, Annotations
from nounflow.schemas.predictions import DecodingPredictions, Predictions

Verdict = Literal["right", "close", "wrong", "unjudged"]

# The published prediction score (NOVIC paper, section 4.2).
POINTS = {
    "correct_primary": 1.0,
    "correct_secondary": 0.8,
    "close_primary": 0.5,
    "close_secondary": 0.4,
    "incorrect": 0.0,
}
CORRECT = ("correct_primary", "correct_secondary")
PRIMARY = ("correct_primary", "close_primary")

# image -> noun -> category
Judgements = dict[str, dict[str, str]]


def judgements(annotations: Annotations) -> Judgements:
    """Turn an image's five lists around: image, in any spelling of its name -> noun -> category.

    Raises:
        NounflowError: a noun of one image stands in two categories; nothing decides which of them holds.
    """
    table: Judgements = ByName()
    for image, lists in annotations.images.items():
        nouns: dict[str, str] = {}
        for category in CATEGORIES:
            for noun in getattr(lists, category):
                if nouns.setdefault(noun, category) != category:
                    raise NounflowError(
                        f"'{noun}' is judged both {nouns[noun]} and {category} for the image '{image}'",
                        where=f"annotations of '{annotations.image_set}' by '{annotations.annotator}'",
                        fix="leave the noun in one of the two lists",
                    )
        table[image] = nouns
    return table


def verdict(category: str | None) -> Verdict:
    """A category in one plain word."""
    if category is None:
        return "unjudged"
    if category in CORRECT:
        return "right"
    return "wrong" if category == "incorrect" else "close"


CODES = {category: code for code, category in enumerate(CATEGORIES)}  # the better, the smaller
UNJUDGED = len(CATEGORIES)
NOTHING = UNJUDGED + 1  # the run gave no noun at this rank; as a first noun it is wrong, whoever judges


@dataclass(frozen=True)
class JudgedAnswers:
    """What a run said about each image and what an annotator made of it. Images are sorted by file name."""

    run: str
    image_set: str
    images: tuple[str, ...]
    nouns: tuple[tuple[str, ...], ...]  # of each image, the best first; none where it could not be read
    probability: np.ndarray  # float64 [images], of the first noun; 0 where there is none
    codes: np.ndarray  # int8 [images, ranks]: of CODES, or UNJUDGED or NOTHING
    unreadable: int  # images
    milliseconds: float

    @property
    def first_nouns(self) -> list[str]:
        """Of each image; "" where there is none."""
        return [nouns[0] if nouns else "" for nouns in self.nouns]

    @property
    def first_noun_counts(self) -> list[int]:
        """Images for each different first noun, most frequent first."""
        return [n for _, n in Counter(nouns[0] for nouns in self.nouns if nouns).most_common()]

    @property
    def answered(self) -> np.ndarray:
        """Images with a first noun, bool [images]."""
        return np.asarray(self.codes[:, 0] != NOTHING)

    @property
    def first_judged(self) -> np.ndarray:
        """Images whose first noun is judged, bool [images]."""
        return self.codes[:, 0] < UNJUDGED

    @property
    def coverage(self) -> float:
        """Share of the answered images whose first noun is judged."""
        return float(self.first_judged.sum() / max(1, self.answered.sum()))


def only_decoding(predictions: Predictions) -> DecodingPredictions:
    """The predictions of a file's one decoding configuration.

    Raises:
        NounflowError: there is none, or more than one: a row of scores would be ambiguous.
    """
    if len(predictions.predictions) != 1:
        raise NounflowError(
            f"Run '{predictions.run}' has {len(predictions.predictions)} decoding configurations on "
            f"'{predictions.image_set}', and a row of scores stands for one",
            fix="predict with one `generation` a run, and give each its own entry under `runs`",
        )
    return next(iter(predictions.predictions.values()))


def judge(predictions: Predictions, table: Judgements) -> JudgedAnswers:
    """Look every noun up, exactly as it was predicted; the unreadable images have no nouns."""
    decoding = only_decoding(predictions)
    rows = zip(predictions.samples, zip(decoding.pred, decoding.probability, strict=True), strict=True)
    said = dict(sorted((dict(rows) | dict.fromkeys(predictions.unreadable, ((), ()))).items()))
    ranks = max((len(nouns) for nouns, _ in said.values()), default=0)
    codes = np.full((len(said), max(1, ranks)), NOTHING, dtype=np.int8)
    for row, (image, (nouns, _)) in enumerate(said.items()):
        known = table.get(image, {})
        codes[row, : len(nouns)] = [CODES.get(known.get(noun, ""), UNJUDGED) for noun in nouns]
    return JudgedAnswers(
        run=predictions.run,
        image_set=predictions.image_set,
        images=tuple(said),
        nouns=tuple(nouns for nouns, _ in said.values()),
        probability=np.array([shares[0] if shares else 0.0 for _, shares in said.values()]),
        codes=codes,
        unreadable=len(predictions.unreadable),
        milliseconds=predictions.milliseconds,
    )
