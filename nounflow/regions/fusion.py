"""How probe, similarity and objectness make one score: weighted geometric means, with the published exponents."""

import numpy as np


def similarities(vectors: np.ndarray, texts: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax over names of cosines of unit vectors [n, dim] with unit texts [names, dim]: float64 [n, names]."""
    logits = (vectors.astype(np.float64) @ texts.T.astype(np.float64)) / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


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
