"""Image embeddings on a plane: their first two principal axes."""

import numpy as np

_FITTED = 5000  # images that the axes are found on


def plane(vectors: np.ndarray, seed: int = 1) -> np.ndarray:
    """float32 [n, 2], between -1 and 1, of unit vectors [n, dim]."""
    vectors = vectors.astype(np.float32)
    if not len(vectors):
        return np.zeros((0, 2), dtype=np.float32)
    drawn = np.random.default_rng(seed).permutation(len(vectors))[:_FITTED]
    mean = vectors[drawn].mean(0)
    _, _, axes = np.linalg.svd(vectors[drawn] - mean, full_matrices=False)
    places = (vectors - mean) @ axes[:2].T
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    # of an axis and its opposite, the one with the longer tail on its positive side: the same map every time
    places *= np.where((places**3).sum(0) < 0, -1, 1)
    flat: np.ndarray = places / max(1e-9, float(np.abs(places).max()))
    return flat
