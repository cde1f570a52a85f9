"""Decoder, head and retrieval combined: a log-linear rule over the nouns that any of them puts forward."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nounflow.errors import MismatchError, NounflowError
from nounflow.predictor_kinds import RULE
from nounflow.predictors.listed import listed
from nounflow.predictors.loading import load_parts
from nounflow.predictors.log_linear import LogLinear
from nounflow.predictors.protocol import Answers, Predictor, batches, lexicon_answers
from nounflow.schemas.documents import read_document
from nounflow.schemas.models import FusedRule, PredictorManifest


def load(
    manifest: PredictorManifest, _tensors: object, device: str, _generation: object, path: Path
) -> "FusedPredictor":
    """See `PredictorKind.load`."""
    rule = read_document(FusedRule, path.parent / RULE, "rule of a fused predictor")
    if missing := [part.path for part in rule.parts if not (path.parent / part.path).is_file()]:
        raise NounflowError(
            "A part of this fused model is not there",
            where=path.parent / missing[0],
            fix="put the part's folder there, too; a copy that `NounClassifier.save` writes holds all parts",
        )
    parts = load_parts([path.parent / part.path for part in rule.parts], device, rule.candidates)
    check_fitted(rule, [part.manifest for part in parts], path.parent / RULE)
    return FusedPredictor(manifest, rule, parts)


class FusedPredictor(Predictor):
    """Each part puts forward its likeliest nouns; each part then says how probable it holds all of them."""

    def __init__(self, manifest: PredictorManifest, rule: FusedRule, parts: Sequence[Predictor]) -> None:
        self.manifest = manifest
        self._parts, self._candidates = parts, rule.candidates
        self._rule = LogLinear(tuple(part.weight for part in rule.parts), rule.none)
        self._listed: Sequence[Predictor] = ()  # the parts, answering from a list
        self._texts: Sequence[str] = manifest.nouns

    @property
    def width(self) -> int:
        return self._candidates

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """Scores are log-probabilities."""
        parts = [self._answer(batch, top_k) for batch in batches(embeddings)]
        ids, scores = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return lexicon_answers(self._texts, ids, scores, np.exp(scores))

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        """Each part puts forward its likeliest nouns of the list; probabilities stay as they are without it."""
        known, left_out = listed(self.manifest.nouns, nouns)
        written = {place: noun for noun, place in known.items()}
        guided = copy.copy(self)
        guided._listed = [part.guided_by([self.manifest.nouns[i] for i in written])[0] for part in self._parts]
        guided._texts = [written.get(i, noun) for i, noun in enumerate(self.manifest.nouns)]
        return guided, left_out

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """See `Predictor.log_probabilities`; -inf also for a noun that no part puts forward."""
        candidates, scores = self._scored(embeddings, self._candidates)
        same = (candidates[:, None, :] == nouns[:, :, None]) & (nouns >= 0)[:, :, None]
        return np.asarray(np.where(same, scores[:, None, :], -np.inf).max(axis=-1), dtype=np.float32)

    def _answer(self, embeddings: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
        candidates, scores = self._scored(embeddings, max(top_k, self._candidates))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(scores, order, axis=1)

    def _scored(self, embeddings: np.ndarray, candidates_each: int) -> tuple[np.ndarray, np.ndarray]:
        """Candidates [n, c], so many of each part, and their log-probabilities.

        The normaliser is that of the usual candidates, whatever the list and however many are asked for.
        """
        candidates, parts = evidence(self._parts, embeddings, self._candidates)
        scores = self._rule.log_probabilities(parts)
        if candidates_each == self._candidates and not self._listed:
            return candidates, scores[:, :-1]
        candidates, parts = evidence(self._listed or self._parts, embeddings, candidates_each)
        others = self._rule.log_probabilities(parts)
        return candidates, others[:, :-1] - others[:, -1:] + scores[:, -1:]


def evidence(parts: Sequence[Predictor], embeddings: np.ndarray, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """What a rule combines.

    Returns:
        nouns: int64 [n, parts * candidates], those that any part has among its `candidates` likeliest, each once and
            from the highest id down, then -1.
        log-probabilities: float32 [n, parts * candidates, parts], -inf where there is no noun.
    """
    nouns = np.concatenate([_ids(part, embeddings, candidates) for part in parts], axis=1)
    nouns = -np.sort(-nouns, axis=1)
    nouns[:, 1:][nouns[:, 1:] == nouns[:, :-1]] = -1
    nouns = -np.sort(-nouns, axis=1)
    return nouns, np.stack([part.log_probabilities(embeddings, nouns) for part in parts], axis=-1)


def check_fitted(rule: FusedRule, parts: Sequence[PredictorManifest], path: Path) -> None:
    """Refuse a rule whose parts are not those that it was fitted to.

    Raises:
        MismatchError: naming the part.
    """
    for known, part in zip(rule.parts, parts, strict=True):
        if (known.predictor, known.weights_sha256) != (part.predictor, part.weights_sha256):
            raise MismatchError(
                f"The rule was fitted to another '{known.run}' ({known.predictor}, weights "
                f"{known.weights_sha256[:12]}) than stands there now ({part.predictor}, {part.weights_sha256[:12]})",
                where=f"{path} against {known.path}",
                fix="fit the rule again: run the models stage",
            )


def _ids(part: Predictor, embeddings: np.ndarray, candidates: int) -> np.ndarray:
    ids = part.answer(embeddings, candidates).nouns
    return np.pad(ids, ((0, 0), (0, candidates - ids.shape[1])), constant_values=-1)
