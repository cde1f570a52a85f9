"""Probabilities that mean what they say: a temperature, and room for "none of these".

Fitted to labelled images, or, where nobody has labelled any, to held-out captions that stand for images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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


def calibrated(probabilities: np.ndarray, weight: float, none: float) -> np.ndarray:
    """Probabilities [n, k] under a rule; what they lack to 1 is that of none of the candidates."""
    found = np.exp(LogLinear((weight,), none).log_probabilities(_logs(probabilities))[:, :-1])
    return np.where(probabilities > 0, found, 0.0)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """[n, k] -> [n, k, 1], -inf where there is no candidate."""
    values = probabilities.astype(np.float64)
    return np.where(values > 0, np.log(np.maximum(values, _TINY)), -np.inf)[..., None]
