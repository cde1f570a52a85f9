"""What people judge by: the usual five categories, or those of a project's own scheme, each of which counts as one."""

from typing import Any, get_args

from nounflow.config.annotators import LabelConfig, Scheme, ScoreClass
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import Decision

assert get_args(ScoreClass) == CATEGORIES

_USUAL = (  # title, small print, key, colour, when, examples: of a dog asleep on a red sofa
    ("Correct", "main subject", "q", "#1f7a4d", "rightly names the main subject", "dog, puppy, animal"),
    (
        "Correct",
        "something else",
        "w",
        "#1f7a4d",
        "rightly names something else in the picture",
        "sofa, couch, furniture",
    ),
    ("Close", "main subject", "a", "#96660a", "is nearly right for the main subject", "wolf, cat, paw"),
    ("Close", "something else", "s", "#96660a", "is nearly right for something else", "armchair, bed"),
    ("Incorrect", "", "d", "#b23a34", "names nothing that is there", "car, sleeping, red"),
)
_FIELDS = ("title", "detail", "key", "colour", "when", "example")
USUAL: Scheme = {
    category: LabelConfig.model_validate({"counts_as": category, **dict(zip(_FIELDS, words, strict=True))})
    for category, words in zip(CATEGORIES, _USUAL, strict=True)
}


def answer_of(decision: Decision) -> str:
    """What was chosen: a category of the scheme by its name, or an abstention."""
    return decision.label or decision.category


def for_page(own: Scheme) -> list[dict[str, Any]]:
    """The categories as the annotation page takes them."""
    labels = (own or USUAL).items()
    return [
        {"answer": name, "keys": [label.key, str(place)], "own": bool(own), **label.model_dump(exclude={"key"})}
        for place, (name, label) in enumerate(labels, 1)
    ]
