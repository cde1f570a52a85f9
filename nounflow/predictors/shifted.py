"""A predictor for whose texts the images' mean shift is taken off the images."""

import numpy as np

from nounflow.predictors.protocol import Answers, Predictor


class ShiftedPredictor:
    """Answers for images moved to where the texts of the training lie."""

    def __init__(self, predictor: Predictor, shift: np.ndarray) -> None:
        """
        Args:
            shift: float32 [dim], mean image - mean text.
        """
        self.manifest, self._predictor, self._shift = predictor.manifest, predictor, shift

    @property
    def width(self) -> int:
        """See `Predictor.width`."""
        return self._predictor.width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """See `Predictor.answer`."""
        return self._predictor.answer(self._moved(embeddings), top_k)

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """See `Predictor.log_probabilities`."""
        return self._predictor.log_probabilities(self._moved(embeddings), nouns)

    def _moved(self, embeddings: np.ndarray) -> np.ndarray:
        moved: np.ndarray = embeddings.astype(np.float32) - self._shift
        moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        return moved
