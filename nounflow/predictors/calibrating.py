"""Probabilities that mean what they say: a temperature, and room for "none of these".

Fitted to labelled images, or, where nobody has labelled any, to held-out captions that stand for images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nounflow.predictors.log_linear import LogLinear, fit
from nounflow.schemas.documents import read_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.schemas.models import PredictorManifest
from nounflow.streams import stream

if TYPE_CHECKING:
    from nounflow.predictors.protocol import Predictor

CALIBRATION = "calibration.json"  # beside a model's manifest, fitted to labelled images
CAPTION_CALIBRATION = "caption_calibration.json"  # likewise, to captions; labelled images go before these
_FOLDS = 5
_TINY = 1e-12


class Calibrated(NamedTuple):
    """A fitted rule, and what it makes of each image under a rule that was fitted without that image."""

    rule: LogLinear
    first: np.ndarray  # float64 [n], probability of the first candidate, in cross-validation


def fit_calibration(probabilities: np.ndarray, right: np.ndarray) -> Calibrated:
    """The rule of greatest likelihood, and its cross-validated probabilities of first candidates.

    Args:
        probabilities: float [n, k] of the candidates, best first; 0 where there are fewer.
        right: bool [n, k], which of them are right.
    """
    scores = _logs(probabilities)
    truth = np.where(right.any(axis=1), right.argmax(axis=1), right.shape[1])
    fold_of = stream(0, "calibration folds").permutation(len(truth)) % _FOLDS  # files are sorted by what they show
    first = np.zeros(len(truth))
    for fold in range(_FOLDS):
        mine = fold_of == fold
        if mine.any():
            first[mine] = np.exp(fit(scores[~mine], truth[~mine]).log_probabilities(scores[mine])[:, 0])
    return Calibrated(fit(scores, truth), first)


def fit_document(
    probabilities: np.ndarray, right: np.ndarray, error: Callable[[np.ndarray, np.ndarray], float], **origin: Any
) -> tuple[AnswerCalibration, np.ndarray]:
    """What a model's folder gets of `fit_calibration`, and its cross-validated probabilities of first candidates.

    Args:
        error: calibration error of the first candidates' probabilities [n], by which of them are right [n].
        origin: the document's other fields.
    """
    fitted = fit_calibration(probabilities, right)
    found = AnswerCalibration(
        weight=fitted.rule.weights[0],
        none=fitted.rule.none,
        images=len(right),
        error_before=error(probabilities[:, 0], right[:, 0]),
        error_after=error(fitted.first, right[:, 0]),
        right=float(right[:, 0].mean()),
        **origin,
    )
    return found, fitted.first


def caption_evidence(
    predictor: Predictor, embeddings: np.ndarray, nouns: np.ndarray, groups: Sequence[str], candidates: int
) -> tuple[np.ndarray, np.ndarray]:
    """What a rule is fitted to, of captions that stand for images: see `fit_calibration`.

    Args:
        embeddings: float32 [n, dim].
        nouns: int64 [n], of each caption.
        groups: of each noun; those of one group are synonyms, and right for each other.
    """
    found = predictor.answer(embeddings, candidates)
    group_of = np.unique(np.asarray(groups), return_inverse=True)[1]
    right = (found.nouns >= 0) & (group_of[found.nouns] == group_of[nouns][:, None])
    return found.probabilities.astype(np.float64), right


def read_calibration(
    manifest_path: Path, manifest: PredictorManifest, labelled: bool = True
) -> AnswerCalibration | None:
    """Of a model's folder: to labelled images, unless these are not wanted, else to captions.

    One of other weights is passed over.
    """
    for name in (CALIBRATION, CAPTION_CALIBRATION) if labelled else (CAPTION_CALIBRATION,):
        path = manifest_path.parent / name
        found = read_document(AnswerCalibration, path, "calibration of a model") if path.is_file() else None
        if found and found.weights_sha256 == manifest.weights_sha256:
            return found
    return None


def calibrated(probabilities: np.ndarray, weight: float, none: float, candidates: int | None = None) -> np.ndarray:
    """Probabilities [n, k] under a rule; what they lack to 1 is that of none of the candidates.

    Args:
        candidates: that the rule was fitted to, None: k. Those behind them get what is left for none of these, as long
            as there is some, so that all are as probable however many are asked for.
    """
    logs, first = _logs(probabilities), probabilities.shape[1] if candidates is None else candidates
    found = LogLinear((weight,), none).log_probabilities(logs[:, :first])
    rest = np.exp(weight * logs[:, first:, 0] - none + found[:, -1:])  # over the same normaliser
    rest = np.diff(np.minimum(rest.cumsum(axis=1), np.exp(found[:, -1:])), axis=1, prepend=0.0)
    return np.where(probabilities > 0, np.concatenate([np.exp(found[:, :-1]), rest], axis=1), 0.0)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """[n, k] -> [n, k, 1], -inf where there is no candidate."""
    values = probabilities.astype(np.float64)
    return np.where(values > 0, np.log(np.maximum(values, _TINY)), -np.inf)[..., None]
