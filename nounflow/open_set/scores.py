"""Open-set scores: from cosines to one number an image, larger where its noun is believed to be known.

MSP: Hendrycks and Gimpel 2017. MaxLogit: Hendrycks et al. 2022. Energy: Liu et al. 2020. MCM: Ming et al. 2022.
NegLabel: Jiang et al. 2024. NegRefine: ICCV 2025. CTW and ATD: Wang et al. 2023 (CLIPN).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

_PAIRED = 5  # likeliest known nouns, and negatives, that negrefine joins to pairs
_PAIR_WEIGHT = 2.0


@dataclass(frozen=True)
class Evidence:
    """Cosines of images to nouns; what a score has no use for may be None."""

    known: np.ndarray  # float32 [n, known]: to the nouns that an image may have
    temperature: float  # logits are cosines divided by it
    no: np.ndarray | None = None  # float32 [n, known]: to the no-embeddings of the same nouns
    negatives: np.ndarray | None = None  # float32 [n, negatives]: dealt into groups, so that neighbours share one
    groups: int = 1
    kept: np.ndarray | None = None  # bool [negatives]: neither names nor kinds of known nouns
    # cosines float32 [n, a, b] of known nouns int64 [n, a] (columns of `known`) with negatives int64 [n, b]
    between: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    called: np.ndarray | None = None  # int64 [n]: column of what the image was called; None: the likeliest


def msp(evidence: Evidence) -> np.ndarray:
    """Largest softmax probability."""
    return 1 / _weighed(_logits(evidence))[1]


def maxlogit(evidence: Evidence) -> np.ndarray:
    """Largest logit."""
    return np.asarray(_logits(evidence).max(axis=1).astype(np.float64))


def energy(evidence: Evidence) -> np.ndarray:
    """Negative free energy: the log of the sum of exponentials of the logits."""
    return np.asarray(maxlogit(evidence) + np.log(_weighed(_logits(evidence))[1]))


def mcm(evidence: Evidence) -> np.ndarray:
    """Largest softmax probability of the cosines themselves (temperature 1)."""
    return 1 / _weighed(evidence.known)[1]


def neglabel(evidence: Evidence) -> np.ndarray:
    """Mean over groups of negatives of the share of the known nouns in a softmax over them and a group."""
    return _share_of_known(evidence, None)


def negrefine(evidence: Evidence) -> np.ndarray:
    """NegLabel without names and kinds of known nouns, plus twice the best pair.

    A pair is a likely known noun y and a likely negative w; it counts by the softmax between "y and w" and w alone.
    The vector of "y and w" is taken as the direction of the sum of both, so that no text has to be encoded.
    """
    assert evidence.negatives is not None
    assert evidence.between is not None
    share = _share_of_known(evidence, evidence.kept)
    negatives = evidence.negatives
    if evidence.kept is not None:
        negatives = np.where(evidence.kept, negatives, -np.inf)
    if not np.isfinite(negatives).any():
        return share
    known_ids, negative_ids = _best(evidence.known), _best(negatives)
    known = np.take_along_axis(evidence.known, known_ids, axis=1)[:, :, None].astype(np.float64)
    negative = np.take_along_axis(negatives, negative_ids, axis=1)[:, None, :].astype(np.float64)
    there = np.isfinite(negative)
    negative = np.where(there, negative, 0.0)
    length = np.sqrt(np.maximum(2.0 + 2.0 * evidence.between(known_ids, negative_ids), 1e-6))
    pair = expit(((known + negative) / length - negative) / evidence.temperature)
    return np.asarray(share + _PAIR_WEIGHT * np.where(there, pair, 0.0).max(axis=(1, 2)))


def ctw(evidence: Evidence) -> np.ndarray:
    """Competing to win: the yes-probability of what the image is called."""
    called = evidence.known.argmax(axis=1) if evidence.called is None else evidence.called
    return np.asarray(np.take_along_axis(yes_probability(evidence), called[:, None], axis=1)[:, 0])


def atd(evidence: Evidence) -> np.ndarray:
    """Agreeing to differ: the expected yes-probability over the nouns; 1 minus it is the chance of none of them."""
    weights, total = _weighed(_logits(evidence))
    return np.asarray((yes_probability(evidence) * weights).sum(axis=1, dtype=np.float64) / total)


def yes_probability(evidence: Evidence) -> np.ndarray:
    """Is it this noun, by yes against no alone: [n, known]."""
    assert evidence.no is not None
    return np.asarray(expit((evidence.known - evidence.no) / np.float32(evidence.temperature)))


def ctw_accepts(evidence: Evidence) -> np.ndarray:
    """CTW's decision without a threshold, bool [n]: only of a no-model that was trained on images."""
    return ctw(evidence) >= 0.5


def atd_accepts(evidence: Evidence, form: Literal["joint", "paper"] = "joint") -> np.ndarray:
    """ATD's decision without a threshold, bool [n]: only of a no-model that was trained on images.

    Args:
        form: paper: "none" against the largest probability, which rejects all where nouns are alike and nothing where
            there is one; joint: against the largest of probability times yes-probability, which with "none" add to 1.
    """
    weights, total = _weighed(_logits(evidence))
    probability = weights / total[:, None]
    none = 1.0 - atd(evidence)
    agreed = probability if form == "paper" else probability * yes_probability(evidence)
    return np.asarray(none <= agreed.max(axis=1))


def group_starts(negatives: int, groups: int) -> np.ndarray:
    """Where each group begins, int64: sizes differ by one at most, and no group is empty."""
    return np.unique(np.arange(groups) * negatives // groups)


def _logits(evidence: Evidence) -> np.ndarray:
    return np.asarray(evidence.known / np.float32(evidence.temperature))


def _weighed(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exponentials of logits, the largest of each row at 1: [n, c]; and their sums, float64 [n]."""
    weights = logits - logits.max(axis=1, keepdims=True)
    np.exp(weights, out=weights)
    return weights, weights.sum(axis=1, dtype=np.float64)


def _share_of_known(evidence: Evidence, kept: np.ndarray | None) -> np.ndarray:
    assert evidence.negatives is not None
    negatives, top = evidence.negatives, evidence.known.max(axis=1, keepdims=True)
    if negatives.shape[1] == 0:
        return np.ones(len(top))
    top = np.maximum(top, negatives.max(axis=1, keepdims=True))
    known = np.exp((evidence.known - top) / np.float32(evidence.temperature)).sum(axis=1, dtype=np.float64)
    others = (negatives - top) / np.float32(evidence.temperature)
    np.exp(others, out=others)
    if kept is not None:
        others *= kept
    starts = group_starts(others.shape[1], evidence.groups)
    sums = np.add.reduceat(others, starts, axis=1).astype(np.float64)
    return np.asarray((known[:, None] / (known[:, None] + sums)).mean(axis=1))


def _best(cosines: np.ndarray) -> np.ndarray:
    """Columns of the largest, int64 [n, at most 5], in no order."""
    count = min(_PAIRED, cosines.shape[1])
    return np.argpartition(-cosines, count - 1, axis=1)[:, :count]
