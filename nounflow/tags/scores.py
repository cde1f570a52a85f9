"""From cosines of an image and of its local views to a score for each label.

Dual stream: He et al. 2023 (MKT). TagCLIP: Lin et al. 2024. SPARC: Miller et al. 2025. SpLiCE: Bhalla et al. 2024.
"""

from typing import Literal

import numpy as np
from scipy.special import softmax

from nounflow.store.rows import unit

Norm = Literal["label_l2", "none"]
_COMPOUNDS = 8  # partners of a label in SPARC's compound prompts
_STEPS = 150  # of FISTA


def best_local(local: np.ndarray, best: int) -> np.ndarray:
    """Mean of the `best` largest of each label's local scores: [n, units, labels] -> [n, labels]."""
    best = min(best, local.shape[1])
    return np.asarray(np.partition(local, -best, axis=1)[:, -best:].mean(axis=1))


def dual_stream(whole: np.ndarray, local: np.ndarray, best: int, norm: Norm) -> np.ndarray:
    """Half the global score [n, labels], half that of the local ones [n, units, labels].

    Args:
        norm: `label_l2`, as published: each half has unit length over the labels, so that a score depends on which
            labels are scored together; `none`: as they are.
    """
    parts = [best_local(local, best), whole]
    if norm == "label_l2":
        parts = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in parts]
    return np.asarray(0.5 * (parts[0] + parts[1]))


def local_softmax(whole: np.ndarray, local: np.ndarray, temperature: float) -> np.ndarray:
    """TagCLIP-like: labels compete within each local unit; the best unit of a label, and the whole image, count half.

    Its refinement by attention maps needs the tower's inside and is left out.
    """
    return np.asarray(0.5 * (softmax(local / temperature, axis=-1).max(axis=1) + softmax(whole / temperature, axis=-1)))


def standardised(scores: np.ndarray) -> np.ndarray:
    """SPARC's debiasing of [n, labels]: z-scores of each image over its labels, then of each label over the images."""
    for axis in (1, 0):
        spread = scores.std(axis=axis, keepdims=True)
        scores = (scores - scores.mean(axis=axis, keepdims=True)) / np.where(spread > 1e-9, spread, 1.0)
    return scores


def sparc(single: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """SPARC-like: single scores with those of compound prompts, both debiased.

    The vector of "a and b" is taken as the direction of the sum of both, so that no text has to be encoded; a label's
    partners are those nearest to it. Its compound scores, sorted, are weighted by their first principal direction.

    Args:
        single: cosines [n, labels] of the images.
        labels: unit vectors [labels, dim].
    """
    cosines = labels @ labels.T
    np.fill_diagonal(cosines, -np.inf)
    partners = np.argsort(-cosines, axis=1, kind="stable")[:, : min(_COMPOUNDS, len(labels) - 1)]
    if not partners.shape[1]:
        return standardised(single)
    length = np.sqrt(np.maximum(2 + 2 * np.take_along_axis(cosines, partners, axis=1), 1e-6))
    compound = (single[:, :, None] + single[:, partners]) / length  # [n, labels, partners]
    ordered = -np.sort(-np.stack([standardised(compound[:, :, i]) for i in range(partners.shape[1])], axis=2), axis=2)
    flat = ordered.reshape(-1, ordered.shape[2])
    direction = np.linalg.eigh(np.cov(flat.T).reshape(flat.shape[1], -1))[1][:, -1]
    direction = direction * np.sign(direction.sum() or 1.0)
    return np.asarray(standardised(single) + standardised(ordered @ (direction / np.abs(direction).sum())))


def splice(images: np.ndarray, concepts: np.ndarray, penalty: float, centre: np.ndarray | None = None) -> np.ndarray:
    """SpLiCE's weights w >= 0 [n, concepts] of images [n, dim]: least ||C'w - unit(f - centre)||^2 + penalty |w|.

    Concepts [concepts, dim] are centred at their mean and made unit, as published. By FISTA (Beck and Teboulle 2009).
    """
    dictionary = unit(concepts - concepts.mean(axis=0))
    targets = unit(images - (0 if centre is None else centre))
    step = 1 / (2 * np.linalg.norm(dictionary, 2) ** 2)
    weights = ahead = np.zeros((len(images), len(concepts)), dtype=np.float32)
    pace = 1.0
    for _ in range(_STEPS):
        gradient = 2 * (ahead @ dictionary - targets) @ dictionary.T
        new = np.maximum(ahead - step * (gradient + penalty), 0).astype(np.float32)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = new + np.float32((pace - 1) / faster) * (new - weights)
        weights, pace = new, faster
    return weights
