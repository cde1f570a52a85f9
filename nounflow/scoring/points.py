"""What a judged noun is worth, and looking judgements up."""

from typing import Literal

from nounflow.errors import NounflowError
from nounflow.schemas.annotations import CATEGORIES, Annotations

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
    """Turn an image's five lists around: image -> noun -> category.

    Raises:
        NounflowError: a noun of one image stands in two categories; nothing decides which of them holds.
    """
    table: Judgements = {}
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
