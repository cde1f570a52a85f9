"""The rule of a fused predictor, fitted to held-out texts: words alone, no image and no label of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nounflow.predictors.fused import evidence
from nounflow.predictors.log_linear import LogLinear, fit
from nounflow.predictors.protocol import Predictor
from nounflow.training.heldout import HeldOut

_BLOCK = 256  # texts
_FOLDS = 5


@dataclass(frozen=True)
class Fit:
    """How well a rule does in cross-validation, each text under a rule fitted without it."""

    log_likelihood: float  # mean over the texts
    top1: float  # share of the texts whose noun comes first


@dataclass(frozen=True)
class Fitted:
    """A rule, how well it does, and how well each part does under a rule of its own."""

    rule: LogLinear
    fused: Fit
    alone: tuple[Fit, ...]


def fit_rule(parts: Sequence[Predictor], texts: HeldOut, candidates: int) -> Fitted:
    """The rule that makes the texts' nouns likeliest.

    Args:
        candidates: nouns that each part puts forward.
    """
    blocks = range(0, len(texts.nouns), _BLOCK)
    found = [evidence(parts, texts.embeddings[first : first + _BLOCK], candidates) for first in blocks]
    nouns, scores = (np.concatenate(columns) for columns in zip(*found, strict=True))
    right = nouns == texts.nouns[:, None]
    truth = np.where(right.any(axis=1), right.argmax(axis=1), nouns.shape[1])
    alone = (cross_validated(scores[..., [part]], truth) for part in range(len(parts)))
    return Fitted(fit(scores, truth), cross_validated(scores, truth), tuple(alone))


def cross_validated(scores: np.ndarray, truth: np.ndarray) -> Fit:
    """How well rules do that are fitted to such texts (see `nounflow.predictors.log_linear.fit`)."""
    likelihood = right = 0.0
    fold_of = np.arange(len(truth)) % _FOLDS
    for fold in range(_FOLDS):
        rest, left_out = fold_of != fold, truth[fold_of == fold]
        p = fit(scores[rest], truth[rest]).log_probabilities(scores[~rest])
        likelihood += p[np.arange(len(p)), left_out].sum()
        right += (p[:, :-1].argmax(axis=1) == left_out).sum()
    return Fit(float(likelihood / len(truth)), float(right / len(truth)))
