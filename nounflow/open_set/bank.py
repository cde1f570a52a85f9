"""The nouns that gates are made of: their text embeddings and, from WordNet, what kind of thing each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from nounflow.errors import NounflowError
from nounflow.schemas.open_set import BankManifest
from nounflow.senses import WordSenses
from nounflow.store.weights import load_beside, save_beside
from nounflow.text import canon

_ALIKE = 1 - 1e-6  # cosine from which two embeddings are one, in fp16


@dataclass(frozen=True)
class NounBank:
    """Nouns with their unit embeddings, float32 [nouns, dim]; `patterns` likewise, of images that show no noun."""

    manifest: BankManifest
    vectors: np.ndarray
    patterns: np.ndarray

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each noun by its normal spelling."""
        return {canon(noun): row for row, noun in reversed(list(enumerate(self.manifest.nouns)))}

    def rows(self, nouns: Sequence[str]) -> np.ndarray:
        """Rows of nouns, int64.

        Raises:
            NounflowError: some are not there; they are named.
        """
        if missing := [noun for noun in nouns if canon(noun) not in self.row_of]:
            raise NounflowError(
                f"{len(missing)} nouns have no embedding in the bank of the open set: {', '.join(missing[:5])}",
                fix="delete results/open_set and run the same command again",
            )
        return np.array([self.row_of[canon(noun)] for noun in nouns], dtype=np.int64)


def meanings(nouns: Sequence[str], senses: WordSenses) -> tuple[list[tuple[str, ...]], list[bool]]:
    """Of each noun the synsets of its first meaning and all above it, own first; and whether it is a name (Etna)."""
    above: list[tuple[str, ...]] = []
    names: list[bool] = []
    for noun in nouns:
        own = next(iter(senses.synsets(noun)), None)
        above.append(() if own is None else tuple(senses.wordnet.ancestors(own)))
        names.append(own is not None and senses.wordnet.synsets[own].is_instance)
    return above, names


def write_bank(path: Path, manifest: BankManifest, vectors: np.ndarray, patterns: np.ndarray) -> None:
    """Write the vectors beside the manifest, in fp16, then the manifest with their digest."""
    tensors = {"nouns": torch.from_numpy(vectors).half(), "patterns": torch.from_numpy(patterns).half()}
    save_beside(path, tensors, lambda digest: manifest.model_copy(update={"weights_sha256": digest}))


def read_bank(path: Path) -> NounBank:
    """Read and check a bank.

    Raises:
        DamagedFileError: its vectors are not those that the manifest describes.
    """
    manifest, tensors = load_beside(BankManifest, path, "bank of the open set")
    return NounBank(manifest, unit(tensors["nouns"].numpy()), unit(tensors["patterns"].numpy()))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows at unit length, float32.

    Raises:
        NounflowError: some are not finite, or nothing.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if bad := int((~(np.isfinite(lengths) & (lengths > 0))).sum()):
        raise NounflowError(
            f"{bad} embeddings hold NaN, infinity or nothing but zeros, so they have no score",
            fix="embed them again; if that does not help, check the embedder: nounflow check SPEC",
        )
    return np.asarray(vectors / lengths)


def check_classes(
    names: Sequence[str],
    vectors: np.ndarray,
    where: object = None,
    fix: str = "add names, such as `background`, or gate without a list",
) -> None:
    """Refuse a class list that no score can work with.

    Args:
        where: key or file that the list is from.
        fix: what to do about a list that is too short.

    Raises:
        NounflowError: it has fewer than two names, or two that the embedder cannot tell apart.
    """
    if len(names) < 2:
        what = f"holds one name only ({names[0]})" if names else "is empty"
        raise NounflowError(
            f"The list of known classes {what}: softmax scores need two",
            where=where,
            fix=fix,
        )
    for start in range(0, len(names), 1024):
        alike = vectors[start : start + 1024] @ vectors.T > _ALIKE
        alike &= np.arange(start, start + len(alike))[:, None] < np.arange(len(names))
        if alike.any():
            one, other = (int(i[0]) for i in np.nonzero(alike))
            raise NounflowError(
                f"The embedder cannot tell two known classes apart: {names[start + one]} and {names[other]}",
                where=where,
                fix="leave one of them out, or word it otherwise",
            )
