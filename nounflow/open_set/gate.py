"""A gate says of an answer whether to believe it: vectors and candidate nouns in; score, threshold, verdict out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nounflow.config.auto import choice_for
from nounflow.config.open_set import OpenSetConfig
from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.protocol import Embedder
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_file
from nounflow.open_set.bank import NounBank, check_classes, read_bank, unit
from nounflow.open_set.calibration import check_share, fit_threshold
from nounflow.open_set.no_store import StoredNoModel, no_embeddings, read_no_model
from nounflow.open_set.reference import Reference, background_rows, candidate_rows, list_reference, reference
from nounflow.open_set_scores import SCORES
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.open_set import GateManifest
from nounflow.store.shards import check_identity

_CLOSEST = 3  # nouns that a reason names
GATE = "gate.json"  # beside a run's manifest
TOP_K = 5  # nouns of a run that stand for what it knows of an image
# What stands around the names of a class list when its threshold is fitted: captions as people write them.
_CAPTIONS = ("a photo of a {}.", "a picture of a {}.", "there is a {}.", "a close-up of a {}.", "{}", "my {}.")
_TEXTS = 400  # noisy captions that a class list's threshold is fitted on, at least


@dataclass(frozen=True)
class Verdict:
    """What a gate says of one image."""

    score: float
    threshold: float
    accepted: bool
    reason: str = ""  # of a rejection: closest known nouns, and what spoke against them


Gate = Callable[[np.ndarray, Sequence[Sequence[str]]], list[Verdict]]
"""Verdicts on images by their unit vectors [n, dim] and the nouns that each was called, best first.

Predictors, tags and regions take one and do not know which.
"""


def believed(gate: Gate | None, vectors: np.ndarray, texts: Sequence[Sequence[str]]) -> np.ndarray:
    """Whether a gate accepts each of some answers [n] by the first nouns of each, bool [n]; without a gate all are."""
    if gate is None:
        return np.ones(len(vectors), dtype=bool)
    nouns = [[text for text in row[:TOP_K] if text] for row in texts]
    return np.array([verdict.accepted for verdict in gate(vectors, nouns)], dtype=bool)


@dataclass(frozen=True)
class ScoreGate:
    """An open-set score with its threshold."""

    method: str
    threshold: float
    held: Reference
    names: Sequence[str]  # of `held.known`
    against: Sequence[str] = ()  # of `held.negatives`
    background: np.ndarray | None = None  # rows that stand beside an image's nouns; None: a class list is given

    def __call__(self, vectors: np.ndarray, nouns: Sequence[Sequence[str]]) -> list[Verdict]:
        """See `Gate`."""
        vectors = unit(vectors)
        scores = self.scores(vectors, nouns)
        return [
            Verdict(float(score), self.threshold, bool(score >= self.threshold), self._reason(score, vector, row))
            for score, vector, row in zip(scores, vectors, nouns, strict=True)
        ]

    def scores(self, vectors: np.ndarray, nouns: Sequence[Sequence[str]]) -> np.ndarray:
        """Scores of unit vectors [n, dim], float64 [n]."""
        candidates = None if self.background is None else candidate_rows(self.names, nouns, self.background)
        return self.held.scores(vectors, (self.method,), candidates)[self.method]

    def fitted(self, vectors: np.ndarray, nouns: Sequence[Sequence[str]], keep: float) -> ScoreGate:
        """The same with a threshold that accepts the share `keep` of these images, which are all of known things.

        Raises:
            NounflowError: there are fewer than 50.
        """
        return replace(self, threshold=fit_threshold(self.scores(unit(vectors), nouns), keep))

    def _reason(self, score: float, vector: np.ndarray, nouns: Sequence[str]) -> str:
        if score >= self.threshold:
            return ""
        cosines = self.held.known @ vector
        if self.background is None:
            nouns = [self.names[i] for i in np.argsort(-cosines, kind="stable")[:_CLOSEST].tolist()]
        reason = f"{self.method} {score:.4g} is below {self.threshold:.4g}; closest: {', '.join(nouns[:_CLOSEST])}"
        if self.held.negatives is None or not len(self.against):
            return reason
        return f"{reason}; against: {self.against[int((self.held.negatives @ vector).argmax())]}"


@dataclass(frozen=True)
class StoredGate:
    """A run's gate as it was fitted: makes gates for its own answers and for class lists."""

    manifest: GateManifest
    bank: NounBank
    nouns: tuple[str, ...]  # the run's
    no: StoredNoModel | None

    @classmethod
    def load(cls, path: Path, embedder: EmbedderIdentity, lexicon: str, nouns: tuple[str, ...]) -> StoredGate:
        """Read a gate and its bank of nouns.

        Raises:
            MismatchError: it was fitted with another embedder, lexicon or bank.
        """
        if not path.is_file():
            raise NounflowError(
                "This run has no gate",
                where=path,
                fix=f"fit one where it was made: snakemake --cores 1 results/models/{path.parent.name}/{GATE}",
            )
        manifest = read_document(GateManifest, path, "gate")
        check_identity(manifest.embedder, embedder, path, "the run's embedder")
        bank = read_bank(path.parent / manifest.bank)
        no = path.parent / manifest.no if manifest.no else None
        for what, found, expected in (
            ("lexicon", manifest.lexicon, lexicon),
            ("bank of nouns", manifest.bank_sha256, bank.manifest.weights_sha256),
            ("no-model", manifest.no_sha256, sha256_file(no) if no and no.is_file() else ""),
        ):
            if found != expected:
                raise MismatchError(
                    f"The gate was fitted with another {what} ({found[:12]} against {expected[:12] or 'none'})",
                    where=path,
                    fix="fit it again: delete it and run the same snakemake command",
                )
        return cls(manifest, bank, nouns, read_no_model(no) if no else None)

    def own(self, keep: float | None = None) -> ScoreGate:
        """The gate of the run's own answers, without a list; `keep`: share of known images, None: as it was fitted."""
        threshold = self.manifest.threshold
        if keep is not None:
            check_share(keep)
            threshold = float(np.interp(1 - keep, np.linspace(0, 1, 101), self.manifest.quantiles))
        gate = lexicon_gate(self.bank, self.nouns, self.manifest.score, self._config, self.no)
        return replace(gate, threshold=threshold)

    def for_list(self, names: Sequence[str], embedder: Embedder, keep: float | None = None) -> ScoreGate:
        """The gate of a class list; its threshold is fitted on captions of the list under the run's noise.

        Raises:
            NounflowError: the list has fewer than two names, or two that the embedder cannot tell apart.
        """
        config, prompts = self._config, self.bank.manifest.prompts
        known = class_embeddings(embedder, names, prompts, progress=False)
        check_classes(names, known)
        method = config.gate.list_score
        if method == "auto":
            spec = self.manifest.embedder.spec
            method = "energy" if choice_for(spec).temperature != "tower" else "neglabel"
        held, rows = list_reference(self.bank, names, known, config.negatives, config.seed)
        if self.no and SCORES[method].needs == "no_model":
            held = replace(held, no=no_embeddings(self.no.module(embedder), names, known, prompts, embedder))
        gate = ScoreGate(method, 0.0, held, list(names), [self.bank.manifest.nouns[row] for row in rows])
        captions = [caption.replace("{}", name) for name in names for caption in _CAPTIONS]
        noisy = self._noisy(embedder.encode_texts(captions, progress=False))
        return gate.fitted(noisy, [()] * len(noisy), self.manifest.keep if keep is None else keep)

    @property
    def _config(self) -> OpenSetConfig:
        return OpenSetConfig.model_validate(self.manifest.settings)

    def _noisy(self, captions: np.ndarray) -> np.ndarray:
        """Captions several times over, each time under other noise."""
        import torch

        from nounflow.config.noise import NoiseConfig
        from nounflow.training.batches import torch_seed
        from nounflow.training.noise import apply_noise

        repeated = np.tile(captions, (max(1, -(-_TEXTS // len(captions))), 1)).astype(np.float32)
        generator = torch.Generator().manual_seed(torch_seed(self._config.seed, "class list noise"))
        noise = NoiseConfig.model_validate(self.manifest.noise)
        return apply_noise(torch.from_numpy(repeated), noise, generator).numpy()


def lexicon_gate(
    bank: NounBank, nouns: Sequence[str], method: str, config: OpenSetConfig, no: StoredNoModel | None
) -> ScoreGate:
    """A gate of answers from a lexicon, without a threshold yet; `no`: for scores that need one, made for the bank."""
    held, rows = reference(bank, bank.rows(nouns), config.negatives, config.seed, no.no if no else None)
    if not held.can(method):
        raise NounflowError(
            f"The score {method} lacks what it needs: negatives come from a lexicon with more nouns than the run's, "
            "no-embeddings from a trained no-model",
            where="open_set.gate.score",
            fix="name another score, such as mcm, or set open_set.negatives.lexicon",
        )
    against = [bank.manifest.nouns[row] for row in rows]
    return ScoreGate(method, 0.0, held, list(nouns), against, background_rows(len(nouns), config))
