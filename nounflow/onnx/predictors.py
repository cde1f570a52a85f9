"""Exported predictors: embeddings in, nouns out, as `predictors.protocol.Predictor` has it, without PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Self

import numpy as np

from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.errors import NounflowError
from nounflow.onnx.search import Cache, Trie, search
from nounflow.predictors.listed import listed
from nounflow.schemas.models import PredictorManifest

_BATCH = 256


class OnnxHead:
    """Any predictor whose graph gives the log-probabilities of all nouns."""

    def __init__(self, manifest: PredictorManifest, session: Any) -> None:
        self.manifest, self._session = manifest, session
        self._ids, self._texts = np.arange(len(manifest.nouns)), manifest.nouns

    @property
    def width(self) -> int:
        """See `Predictor.width`."""
        return len(self._ids)

    def answer(self, embeddings: np.ndarray, top_k: int) -> Any:
        """See `Predictor.answer`; what it gives has the fields of `Answers`, whose module needs PyTorch."""
        parts = [self._best(embeddings[i : i + _BATCH], top_k) for i in range(0, max(1, len(embeddings)), _BATCH)]
        places, scores, totals = (np.concatenate(column) for column in zip(*parts, strict=True))
        texts = [[self._texts[place] if place >= 0 else "" for place in row] for row in places.tolist()]
        nouns = np.where(places >= 0, self._ids[places], -1)
        return SimpleNamespace(nouns=nouns, texts=texts, scores=scores, probabilities=np.exp(totals))

    def guided_by(self, nouns: Sequence[str]) -> tuple[Self, list[str]]:
        """See `Predictor.guided_by`; nouns beyond the lexicon cannot be said."""
        known, left_out = listed(self.manifest.nouns, nouns)
        guided = copy.copy(self)
        guided._texts, guided._ids = tuple(known), np.array(list(known.values()), dtype=np.int64)
        return guided, left_out

    def _best(self, embeddings: np.ndarray, top_k: int) -> tuple[np.ndarray, ...]:
        """Places in the list, scores and log-probabilities, [n, k] each."""
        (found,) = self._session.run(None, {"embeddings": embeddings.astype(np.float32)})
        found = found[:, self._ids]
        places = np.argsort(-found, axis=1, kind="stable")[:, :top_k]
        scores = np.take_along_axis(found, places, axis=1)
        return places, scores, scores


class OnnxDecoder(OnnxHead):
    """The object decoder, read by the search of `onnx.search`."""

    def __init__(self, manifest: PredictorManifest, session: Any, config: GenerationConfig) -> None:
        """
        Raises:
            NounflowError: it is to be read in a way that needs PyTorch.
        """
        super().__init__(manifest, session)
        if config.method == "exact" or config.guided == "none" or config.prior != "none":
            raise NounflowError(
                f"An exported decoder is not read by {config.name}: it knows beam and greedy search, guided, no prior",
                where=manifest.run,
                fix="pass --decoding beam_k10, or name the run itself",
            )
        self.config = config
        shape = DecoderConfig.model_validate(manifest.settings["decoder"])
        self._empty = np.zeros((1, 1, shape.layers, shape.heads, 0, shape.width // shape.heads), dtype=np.float32)
        self._trie = Trie(manifest.tokens["nouns"])

    @property
    def width(self) -> int:
        """See `Predictor.width`."""
        return self.config.beam_width

    def guided_by(self, nouns: Sequence[str]) -> tuple[Self, list[str]]:
        """See `Predictor.guided_by`; nouns beyond the lexicon cannot be said."""
        guided, left_out = super().guided_by(nouns)
        guided._trie = Trie([self.manifest.tokens["nouns"][i] for i in guided._ids])
        return guided, left_out

    def _best(self, embeddings: np.ndarray, top_k: int) -> tuple[np.ndarray, ...]:
        vectors = embeddings.astype(np.float32)

        def step(tokens: np.ndarray, cache: Cache | None) -> tuple[np.ndarray, Cache]:
            before = cache or (np.repeat(self._empty, len(vectors), axis=0),) * 2
            given = {"embeddings": vectors, "tokens": tokens, "past_keys": before[0], "past_values": before[1]}
            if cache is None:
                return self._session.run(["first"], given)[0][:, None], before
            found, keys, values = self._session.run(["following", "keys", "values"], given)
            return found, (keys, values)

        width = 1 if self.config.method == "greedy" else max(self.config.beam_width, top_k)
        found = search(step, len(vectors), self._trie, self.config, width)
        return tuple(part[:, :top_k] for part in found)
