"""What votes are worth: the probability of each category by what people said of pairs with such votes.

Multinomial logistic regression on the logarithms of smoothed vote shares. Whether that is any better than the voting
rule is measured on pictures that it was not fitted on, and it is used only where it is.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nounflow.annotation.agreement import cohen_kappa
from nounflow.annotation.votes import VotingRule, kind_of, verdict
from nounflow.schemas.annotations import CATEGORIES, PeopleAgreement

_FOLDS = 5
_SMOOTHING = 0.5  # votes that each category gets beforehand

Votes = Mapping[str, int]


class Compared(NamedTuple):
    """A pair that people and the model judged."""

    image: str  # sha256
    votes: Votes
    people: str  # category


class Calibration:
    """Probabilities of the categories that people used."""

    def __init__(self, pairs: Sequence[Compared]) -> None:
        """Fit to pairs (at least one)."""
        from sklearn.linear_model import LogisticRegression

        self._classes = sorted({pair.people for pair in pairs}, key=CATEGORIES.index)
        self._model: Any = None
        if len(self._classes) > 1:
            targets = [self._classes.index(pair.people) for pair in pairs]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # not converged to the last digit: good enough
                self._model = LogisticRegression(max_iter=1000).fit(_features([p.votes for p in pairs]), targets)

    def probabilities(self, votes: Votes) -> dict[str, float]:
        """Category -> probability; 0 for those that people never used."""
        shares = [1.0] if self._model is None else self._model.predict_proba(_features([votes]))[0]
        found = dict(zip(self._classes, map(float, shares), strict=True))
        return {category: found.get(category, 0.0) for category in CATEGORIES}

    def verdict(self, votes: Votes) -> str:
        """The likeliest category; the better one of equals."""
        shares = self.probabilities(votes)
        return max(CATEGORIES, key=lambda category: shares[category])


class Settling(NamedTuple):
    """How votes become categories."""

    rule: VotingRule
    calibration: Calibration | None
    words: str  # which of the two, and why
    agreement: PeopleAgreement | None

    def category(self, votes: Votes) -> str:
        """The category that stands."""
        return self.calibration.verdict(votes) if self.calibration else verdict(votes, self.rule)


def settle(pairs: Sequence[Compared], people: Sequence[str], rule: VotingRule, least: int) -> Settling:
    """The better one of the voting rule and a calibration, by agreement (Cohen's kappa) with people.

    Args:
        pairs: judged by people and by the model.
        people: their names.
        least: pairs below which nothing is calibrated.
    """
    if not pairs:
        return Settling(rule, None, "voting rule (people have judged none of these pairs)", None)
    said = [pair.people for pair in pairs]
    by_vote = [verdict(pair.votes, rule) for pair in pairs]
    voting = cohen_kappa(said, by_vote)
    if len(pairs) < least:
        words = f"voting rule (people have judged {len(pairs)} of these pairs, fewer than {least})"
        return Settling(rule, None, words, _agreement(people, said, by_vote, voting, held_out=False))
    unseen = held_out_verdicts(pairs)
    calibrated = cohen_kappa(said, unseen)
    if (calibrated or 0.0) > (voting or 0.0):
        agreement = _agreement(people, said, unseen, voting, held_out=True)
        return Settling(rule, Calibration(pairs), f"votes calibrated on {len(pairs)} pairs of people", agreement)
    words = f"voting rule (calibration on {len(pairs)} pairs of people agrees no better with them)"
    return Settling(rule, None, words, _agreement(people, said, by_vote, voting, held_out=False))


def held_out_verdicts(pairs: Sequence[Compared]) -> list[str]:
    """What a calibration says of each pair that was fitted to the other pictures' pairs; in the order of `pairs`."""
    fold_of = [int(pair.image[:8], 16) % _FOLDS for pair in pairs]
    verdicts = [""] * len(pairs)
    for fold in set(fold_of):
        others = [pair for pair, own in zip(pairs, fold_of, strict=True) if own != fold]
        calibration = Calibration(others or pairs[:1])
        for number, (pair, own) in enumerate(zip(pairs, fold_of, strict=True)):
            if own == fold:
                verdicts[number] = calibration.verdict(pair.votes)
    return verdicts


def _agreement(
    people: Sequence[str], said: Sequence[str], judged: Sequence[str], voting: float | None, *, held_out: bool
) -> PeopleAgreement:
    both = Counter(zip(said, judged, strict=True))
    confusion = {c: {d: both[c, d] for d in CATEGORIES if both[c, d]} for c in CATEGORIES if c in said}
    return PeopleAgreement(
        people=tuple(people),
        pairs=len(said),
        share=sum(n for (one, other), n in both.items() if one == other) / len(said),
        kappa=cohen_kappa(said, judged),
        kappa_coarse=cohen_kappa(list(map(kind_of, said)), list(map(kind_of, judged))),
        kappa_voting=voting,
        held_out=held_out,
        confusion=confusion,
    )


def _features(votes: Sequence[Votes]) -> np.ndarray:
    counts = np.array([[cast.get(category, 0) for category in CATEGORIES] for cast in votes], dtype=float)
    counts += _SMOOTHING  # [pairs, categories]
    shares: np.ndarray = np.log(counts / counts.sum(axis=1, keepdims=True))
    return shares
