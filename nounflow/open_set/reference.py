"""What images are held against, and their scores: in blocks, so that memory does not grow with images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nounflow.config.auto import choice_for
from nounflow.config.open_set import NegativesConfig, OpenSetConfig
from nounflow.errors import NounflowError
from nounflow.open_set.bank import NounBank
from nounflow.open_set.negatives import choose_negatives, no_kinds
from nounflow.open_set.scores import Evidence
from nounflow.open_set_scores import SCORES
from nounflow.registry import resolve
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.streams import stream
from nounflow.text import canon

_CELLS = 1 << 21  # cosines held at a time: larger blocks are slower, too


@dataclass(frozen=True)
class Reference:
    """Unit vectors, float32 [*, dim]."""

    known: np.ndarray
    temperature: float
    negatives: np.ndarray | None = None  # dealt into groups of neighbours
    groups: int = 1
    kept: np.ndarray | None = None  # bool [negatives], see `Evidence`
    no: np.ndarray | None = None  # no-embeddings of `known`

    def can(self, method: str) -> bool:
        """Is there all that a score needs?"""
        needs = SCORES[method].needs
        return (needs != "negatives" or self.negatives is not None) and (needs != "no_model" or self.no is not None)

    def evidence(self, images: np.ndarray, candidates: np.ndarray | None = None) -> Evidence:
        """Cosines of images [n, dim] to the known nouns, or of each to its own candidates, int64 [n, c] rows of
        `known`, of which the first is what it was called; -1: nothing, which has no part in any score.
        """
        negatives = None if self.negatives is None else images @ self.negatives.T
        if candidates is None:
            no = None if self.no is None else images @ self.no.T
            return self._with(images @ self.known.T, no, negatives, None)
        no = None if self.no is None else np.einsum("nd,ncd->nc", images, self.no[candidates])
        cosines = np.einsum("nd,ncd->nc", images, self.known[candidates])
        return self._with(np.where(candidates < 0, -np.inf, cosines).astype(np.float32), no, negatives, candidates)

    def _with(
        self, known: np.ndarray, no: np.ndarray | None, negatives: np.ndarray | None, candidates: np.ndarray | None
    ) -> Evidence:
        def between(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            assert self.negatives is not None
            rows = columns if candidates is None else np.take_along_axis(candidates, columns, axis=1)
            return np.asarray(self.known[rows] @ self.negatives[others].swapaxes(1, 2))  # [n, a, b]

        called = None if candidates is None else np.zeros(len(known), dtype=np.int64)
        return Evidence(known, self.temperature, no, negatives, self.groups, self.kept, between, called)

    def scores(
        self, images: np.ndarray, methods: Iterable[str], candidates: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Scores of images [n, dim] by method, float64 [n]; see `evidence`."""
        methods = tuple(methods)
        functions = {method: resolve(SCORES[method].function) for method in methods}
        wide = (len(self.known) if candidates is None else candidates.shape[1] * images.shape[1]) + (
            0 if self.negatives is None else len(self.negatives)
        )
        rows = max(1, _CELLS // max(1, wide))
        parts: dict[str, list[np.ndarray]] = {method: [np.zeros(0)] for method in methods}
        for start in range(0, len(images), rows):
            block = slice(start, start + rows)
            evidence = self.evidence(images[block], None if candidates is None else candidates[block])
            for method, function in functions.items():
                parts[method].append(function(evidence))
        return {method: np.concatenate(found) for method, found in parts.items()}


def temperature_of(identity: EmbedderIdentity) -> float:
    """What cosines are divided by: as for `retrieval`; 0.01 for a tower that does not say its own."""
    chosen = choice_for(identity.spec).temperature
    return 1 / (identity.logit_scale or 100.0) if chosen == "tower" else float(chosen)


def reference(
    bank: NounBank, known: np.ndarray, settings: NegativesConfig, seed: int, no: np.ndarray | None = None
) -> tuple[Reference, np.ndarray]:
    """What images are held against, where nouns of the bank are known; and the rows of the negatives.

    Args:
        known: rows of the bank.
        no: no-embeddings of all nouns of the bank.
    """
    names = [bank.manifest.nouns[row] for row in known.tolist()]
    found, rows = list_reference(bank, names, bank.vectors[known], settings, seed)
    return (found if no is None else replace(found, no=no[known])), rows


def list_reference(
    bank: NounBank, names: Sequence[str], vectors: np.ndarray, settings: NegativesConfig, seed: int
) -> tuple[Reference, np.ndarray]:
    """The same of any names with their unit vectors, float32 [names, dim]; those that the bank lacks have no kinds."""
    manifest = bank.manifest
    spellings = set(map(canon, names))
    allowed = np.array([canon(noun) not in spellings for noun in manifest.nouns[: manifest.candidates]])
    rows = choose_negatives(bank.vectors[: manifest.candidates], vectors, allowed, settings, seed)
    own = {above[0] for name in spellings & bank.row_of.keys() if (above := manifest.above[bank.row_of[name]])}
    kept = no_kinds([manifest.above[row] for row in rows], [manifest.names[row] for row in rows], own)
    temperature = temperature_of(manifest.embedder)
    return Reference(vectors, temperature, bank.vectors[rows] if len(rows) else None, settings.groups, kept), rows


def background_rows(nouns: int, config: OpenSetConfig) -> np.ndarray:
    """Nouns of a run's lexicon that stand beside its answers, int64: without others, an answer agrees with itself."""
    rng = stream(config.seed, "open set", "background")
    return np.sort(rng.permutation(nouns)[: config.background]).astype(np.int64)


def candidate_rows(nouns: Sequence[str], answers: Sequence[Sequence[str]], background: np.ndarray) -> np.ndarray:
    """Of each image the rows of its answers and of the background in `nouns`, int64 [images, c]; each row once.

    -1 fills up where an image has fewer answers than others, and stands for what is an answer and background, too.

    Raises:
        NounflowError: an answer is none of the nouns.
    """
    row_of = {canon(noun): row for row, noun in enumerate(nouns)}
    width = max([1, *map(len, answers)])
    found = np.full((len(answers), width + len(background)), -1, dtype=np.int64)
    for place, row in enumerate(answers):
        if unknown := [noun for noun in row if canon(noun) not in row_of]:
            raise NounflowError(
                f"An answer is none of the run's nouns: {unknown[0]}",
                fix="a gate without a list needs answers from the lexicon: decode guided by it",
            )
        rows = list(dict.fromkeys(row_of[canon(noun)] for noun in row))
        found[place, : len(rows)] = rows
        found[place, width:] = np.where(np.isin(background, rows), -1, background)
    found[(found < 0).all(axis=1), 0] = 0  # neither answer nor background: something to compute a score from
    return found
