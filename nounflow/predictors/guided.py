"""Any predictor, answering only from a list of nouns given at call time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nounflow.predictors.protocol import Answers, Predictor

_BATCH = 1 << 20  # log-probabilities asked for together


class ListPredictor:
    """What a predictor over its lexicon says of some of the lexicon's nouns; their probabilities stay its own."""

    def __init__(self, predictor: Predictor, ids: np.ndarray, texts: Sequence[str]) -> None:
        """
        Args:
            ids: int64 [listed], in the predictor's lexicon.
            texts: how the list writes them.
        """
        self.manifest, self._predictor, self._ids, self._texts = predictor.manifest, predictor, ids, list(texts)

    @property
    def width(self) -> int:
        """See `Predictor.width`."""
        return len(self._ids)

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """See `Predictor.answer`; scores are log-probabilities."""
        rows = max(1, _BATCH // len(self._ids))
        parts = [self._scores(embeddings[i : i + rows]) for i in range(0, max(1, len(embeddings)), rows)]
        scores = np.concatenate(parts)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        best = np.take_along_axis(scores, order, axis=1)
        known = best > -np.inf
        texts = [
            [self._texts[i] if there else "" for i, there in zip(row, shown, strict=True)]
            for row, shown in zip(order.tolist(), known.tolist(), strict=True)
        ]
        return Answers(np.where(known, self._ids[order], -1), texts, best, np.exp(best))

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """See `Predictor.log_probabilities`; -inf for a noun that is not listed."""
        found = self._predictor.log_probabilities(embeddings, nouns)
        return np.where(np.isin(nouns, self._ids), found, np.float32(-np.inf))

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        """See `Predictor.guided_by`; from the whole lexicon, not from this list."""
        return self._predictor.guided_by(nouns)

    def _scores(self, embeddings: np.ndarray) -> np.ndarray:
        return self._predictor.log_probabilities(embeddings, np.tile(self._ids, (len(embeddings), 1)))


def restricted(predictor: Predictor, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
    """A predictor of the lexicon's nouns that are listed, and the listed ones that the lexicon lacks."""
    number = {noun: i for i, noun in enumerate(predictor.manifest.nouns)}
    found = {noun: number.get(noun, number.get(noun.lower(), -1)) for noun in nouns}
    known = {noun: i for noun, i in found.items() if i >= 0}
    left_out = [noun for noun in found if noun not in known]
    return ListPredictor(predictor, np.array(list(known.values()), dtype=np.int64), list(known)), left_out
