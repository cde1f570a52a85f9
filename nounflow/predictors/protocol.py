"""What every predictor does: embeddings in, nouns with scores and probabilities out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from nounflow.schemas.models import PredictorManifest


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


def of_given(log_probabilities: torch.Tensor, nouns: np.ndarray) -> np.ndarray:
    """Those of all nouns [n, nouns] at given ids [n, c], as `Predictor.log_probabilities` answers."""
    ids = torch.from_numpy(np.maximum(nouns, 0)).to(log_probabilities.device)
    return np.where(nouns >= 0, log_probabilities.gather(1, ids).cpu().numpy(), np.float32(-np.inf))


def lexicon_answers(nouns: tuple[str, ...], ids: np.ndarray, scores: np.ndarray, probabilities: np.ndarray) -> Answers:
    """Answers whose texts are the lexicon's nouns."""
    texts = [[nouns[i] if i >= 0 else "" for i in row] for row in ids.tolist()]
    return Answers(ids.astype(np.int64), texts, scores.astype(np.float32), probabilities.astype(np.float32))
