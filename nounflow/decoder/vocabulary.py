"""What the decoder writes: each noun as a few ids of a compact vocabulary (NOVIC paper, appendix B).

Ids are numbered from 1 in the order of the tokenizer's ids that occur in any noun; 0 ends a noun and pads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nounflow.errors import NounflowError

END = 0


@dataclass(frozen=True)
class TargetVocabulary:
    """Nouns as token sequences."""

    tokens: np.ndarray  # int64 [nouns, longest + 1], content ids, then END, then END as padding
    lengths: np.ndarray  # int64 [nouns], content tokens
    tokenizer_ids: np.ndarray  # int64 [size]: compact id -> tokenizer id; entry 0 is unused
    nouns: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of compact ids, END included."""
        return len(self.tokenizer_ids)

    @property
    def max_tokens(self) -> int:
        """Longest noun in tokens, END included."""
        return int(self.tokens.shape[1])

    @classmethod
    def build(cls, nouns: Sequence[str], token_ids: Sequence[Sequence[int]]) -> "TargetVocabulary":
        """From nouns and their tokenizer ids (no special tokens).

        Raises:
            NounflowError: a noun has no tokens, or two nouns have the same ones.
        """
        seen: dict[tuple[int, ...], str] = {}
        for noun, ids in zip(nouns, token_ids, strict=True):
            if not ids:
                raise NounflowError(f"The tokenizer gives no tokens for the noun {noun!r}", fix="leave this noun out")
            if other := seen.get(tuple(ids)):
                raise NounflowError(
                    f"The nouns {other!r} and {noun!r} have the same tokens", fix="leave one of the two out"
                )
            seen[tuple(ids)] = noun
        used = np.unique(np.concatenate([np.asarray(ids, dtype=np.int64) for ids in token_ids]))
        tokenizer_ids = np.concatenate([[-1], used]).astype(np.int64)
        lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
        tokens = np.full((len(nouns), int(lengths.max()) + 1), END, dtype=np.int64)
        for row, ids in enumerate(token_ids):
            tokens[row, : len(ids)] = np.searchsorted(used, ids) + 1
        return cls(tokens=tokens, lengths=lengths, tokenizer_ids=tokenizer_ids, nouns=tuple(nouns))

    def as_dict(self) -> dict[str, Any]:
        """For the decoder's manifest."""
        return {
            "tokenizer_ids": self.tokenizer_ids.tolist(),
            "nouns": [row[:length].tolist() for row, length in zip(self.tokens, self.lengths, strict=True)],
        }

    @classmethod
    def from_dict(cls, nouns: Sequence[str], value: dict[str, Any]) -> "TargetVocabulary":
        """From a decoder's manifest."""
        tokenizer_ids = np.asarray(value["tokenizer_ids"], dtype=np.int64)
        return cls.build(nouns, [tokenizer_ids[ids].tolist() for ids in value["nouns"]])
