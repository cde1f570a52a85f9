"""From a probe to detections: the ways in which a box gets its score, and which boxes are kept.

Probe, similarity and objectness make one score by weighted geometric means, with the published exponents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from nounflow.config.regions import FusionConfig
from nounflow.regions.boxes import suppressed
from nounflow.regions.image_regions import ImageRegions
from nounflow.regions.learning import Probe


def similarities(vectors: np.ndarray, texts: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax over names of cosines of unit vectors [n, dim] with unit texts [names, dim]: float64 [n, names]."""
    return np.asarray(softmax(vectors.astype(np.float64) @ texts.T.astype(np.float64) / temperature, axis=1))


def fused(
    similarity: np.ndarray, probe: np.ndarray | None, share: np.ndarray | float, objectness: np.ndarray | None
) -> np.ndarray:
    """Scores [n, names]: similarity^(1 - share) * probe^share, then the root of that times objectness.

    LP-OVOD (WACV 2024): share 0.8 for novel names, 1 for base names.

    Args:
        similarity: [n, names], 0 to 1.
        probe: [n, names], 0 to 1; None counts as 1 everywhere.
        share: of the probe, one number or [names].
        objectness: [n], 0 to 1; None leaves the score as it is.
    """
    score = similarity ** (1 - np.asarray(share))
    if probe is not None:
        score = score * probe ** np.asarray(share)
    if objectness is None:
        return np.asarray(score)
    return np.asarray(np.sqrt(score * np.asarray(objectness)[:, None]))


class Detections(NamedTuple):
    """Kept boxes of one image, best score first."""

    rows: np.ndarray  # int64 [n], among the image's boxes
    names: np.ndarray  # int64 [n], among the probe's names
    scores: np.ndarray  # float32 [n]


class Evidence(NamedTuple):
    """What speaks for each box and name of an image."""

    similarity: np.ndarray  # [n, names]
    probe: np.ndarray  # [n, names]
    objectness: np.ndarray  # [n]
    share: np.ndarray  # [names], of the probe


def evidence(probe: Probe, image: ImageRegions, config: FusionConfig, temperature: float) -> Evidence:
    """Similarity, probe and objectness of an image's boxes."""
    share = np.where(probe.novel, config.novel_share, config.base_share)
    return Evidence(
        similarities(image.combined(probe.one_scale), probe.texts, temperature),
        probe.probabilities(image),
        image.objectness,
        np.where(probe.learnt, share, config.novel_share),  # without a row a base name is like a novel one
    )


class Way(NamedTuple):
    """A row of the table: how scores are made, and by which probe."""

    scores: Callable[[Evidence], np.ndarray] = lambda e: fused(e.similarity, e.probe, e.share, e.objectness)
    probe: str = "probe"


WAYS: dict[str, Way] = {
    "fused": Way(),
    "similarity": Way(lambda e: e.similarity),
    "no_probe": Way(lambda e: fused(e.similarity, None, e.share, e.objectness)),
    "probe_only": Way(lambda e: e.probe),
    "no_objectness": Way(lambda e: fused(e.similarity, e.probe, e.share, None)),
    "no_quality": Way(probe="no_quality"),
    "one_scale": Way(probe="one_scale"),
}


def keep(boxes: np.ndarray, scores: np.ndarray, config: FusionConfig) -> Detections:
    """Detections of one image from the scores of its boxes [n, names]: a box may have several names."""
    rows, names = np.nonzero(scores > config.min_score)
    found = scores[rows, names].astype(np.float32)
    places = suppressed(boxes[rows], found, config.nms_iou, names)[: config.most]
    return Detections(rows[places], names[places], found[places])
