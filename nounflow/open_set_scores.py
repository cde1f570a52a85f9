"""The open-set scores by name: light to import. A new one is a function of cosines and a line here.

Every score is larger for an image that is known. The functions stand in `nounflow/open_set/scores.py`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from nounflow.registry import Registry

Needs = Literal["nothing", "negatives", "no_model"]


class OpenSetScore(NamedTuple):
    """What the workflow and the library need to know of a score."""

    function: str  # place: `function(Evidence) -> float64 [images]`
    says: str  # in one line, for people
    needs: Needs = "nothing"


SCORES: Registry[OpenSetScore] = {
    "msp": OpenSetScore("nounflow.open_set.scores:msp", "largest probability"),
    "maxlogit": OpenSetScore("nounflow.open_set.scores:maxlogit", "largest logit"),
    "energy": OpenSetScore("nounflow.open_set.scores:energy", "log of the sum of exponentials of the logits"),
    "mcm": OpenSetScore("nounflow.open_set.scores:mcm", "largest probability of the plain cosines"),
    "neglabel": OpenSetScore("nounflow.open_set.scores:neglabel", "known nouns against negatives", "negatives"),
    "negrefine": OpenSetScore(
        "nounflow.open_set.scores:negrefine", "the same without names and kinds, and with pairs", "negatives"
    ),
    "ctw": OpenSetScore("nounflow.open_set.scores:ctw", "is it the likeliest noun, yes or no", "no_model"),
    "atd": OpenSetScore("nounflow.open_set.scores:atd", "expected yes over all nouns", "no_model"),
}
