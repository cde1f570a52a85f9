"""What every predictor does: embeddings in, nouns with scores and probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from nounflow.predictors.listed import listed
from nounflow.schemas.models import PredictorManifest

_BATCH, _SCORES = 256, 1 << 20  # computed together


@dataclass(frozen=True)
class Answers:
    """The likeliest nouns of each embedding, best first."""

    nouns: np.ndarray  # int64 [n, k], ids in the predictor's lexicon; -1 where there are fewer than k
    texts: list[list[str]]  # [n][k], what was written; "" where there are fewer than k
    scores: np.ndarray  # float32 [n, k], by which they are ranked: log-probabilities (a decoder may divide them by a
    # power of the length), for retrieval cosines; -inf where fewer than k
    probabilities: np.ndarray  # float32 [n, k]


class Predictor(Protocol):
    """Decoder, head, retrieval and fused behind one protocol."""

    manifest: PredictorManifest

    @property
    def width(self) -> int:
        """Nouns that there are for an embedding without searching wider than the run's settings say."""
        ...

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """The `top_k` likeliest nouns of unit embeddings [n, dim]."""
        ...

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """Log-probability of given nouns, float32 [n, c]; ids int64 [n, c], -1 for none, which gives -inf."""
        ...

    def guided_by(self, nouns: Sequence[str]) -> tuple["Predictor", list[str]]:
        """The same predictor, answering from these distinct nouns only, and those of them that it cannot say."""
        known, left_out = listed(self.manifest.nouns, nouns)
        ids = np.array(list(known.values()), dtype=np.int64)
        return ListPredictor(self, ids, list(known)), left_out


def batches(rows: np.ndarray) -> list[np.ndarray]:
    """Rows [n, ...] in parts that are computed together; one, of none, where there are none."""
    return np.array_split(rows, max(1, -(-len(rows) // _BATCH)))


def of_given(log_probabilities: torch.Tensor, nouns: np.ndarray) -> np.ndarray:
    """Those of all nouns [n, nouns] at given ids [n, c], as `Predictor.log_probabilities` answers."""
    ids = torch.from_numpy(np.maximum(nouns, 0)).to(log_probabilities.device)
    return np.where(nouns >= 0, log_probabilities.gather(1, ids).cpu().numpy(), np.float32(-np.inf))


def lexicon_answers(nouns: Sequence[str], ids: np.ndarray, scores: np.ndarray, probabilities: np.ndarray) -> Answers:
    """Answers whose texts are the lexicon's nouns."""
    texts = [[nouns[i] if i >= 0 else "" for i in row] for row in ids.tolist()]
    return Answers(ids.astype(np.int64), texts, scores.astype(np.float32), probabilities.astype(np.float32))


class ListPredictor(Predictor):
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
        return len(self._ids)

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """Scores are log-probabilities."""
        rows = max(1, _SCORES // len(self._ids))
        parts = [self._scores(embeddings[i : i + rows]) for i in range(0, max(1, len(embeddings)), rows)]
        scores = np.concatenate(parts)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        best = np.take_along_axis(scores, order, axis=1)
        known = best > -np.inf
        found = lexicon_answers(self._texts, np.where(known, order, -1), best, np.exp(best))
        return replace(found, nouns=np.where(known, self._ids[order], -1))

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """-inf for a noun that is not listed."""
        found = self._predictor.log_probabilities(embeddings, nouns)
        return np.where(np.isin(nouns, self._ids), found, np.float32(-np.inf))

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        """From the whole lexicon, not from this list."""
        return self._predictor.guided_by(nouns)

    def _scores(self, embeddings: np.ndarray) -> np.ndarray:
        return self._predictor.log_probabilities(embeddings, np.tile(self._ids, (len(embeddings), 1)))
