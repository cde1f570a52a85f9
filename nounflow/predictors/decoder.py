"""The object decoder as a predictor: guided beam search over the lexicon."""

from __future__ import annotations

import numpy as np
import torch

from nounflow.config.decoder import DecoderConfig, GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.predictors.protocol import Answers
from nounflow.schemas.documents import PredictorManifest

_BATCH = 256


class DecoderPredictor:
    """Writes nouns token by token."""

    def __init__(
        self, manifest: PredictorManifest, tensors: dict[str, torch.Tensor], device: str, config: GenerationConfig
    ) -> None:
        self.manifest, self.config, self._device = manifest, config, device
        vocabulary = TargetVocabulary.from_dict(manifest.nouns, manifest.tokens)
        self._model = ObjectDecoder(
            dim=manifest.embedder.dim,
            vocabulary=vocabulary.size,
            max_tokens=vocabulary.max_tokens,
            config=DecoderConfig.model_validate(manifest.settings["decoder"]),
        )
        self._model.load_state_dict(tensors)
        self._model.to(device).eval()
        self._trie = TokenTrie.build(vocabulary).to(device)
        self._nouns = manifest.nouns

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """See `Predictor.answer`. Guided decoding never leaves the lexicon."""
        config = self.config.model_copy(update={"beam_width": max(top_k, self.config.beam_width)})
        parts = [
            generate(self._model, torch.from_numpy(batch).to(self._device, torch.float32), self._trie, config)
            for batch in np.array_split(embeddings, max(1, -(-len(embeddings) // _BATCH)))
        ]
        ids = torch.cat([part.nouns for part in parts])[:, :top_k].cpu().numpy()
        scores = torch.cat([part.scores for part in parts])[:, :top_k].cpu().numpy()
        texts = [[self._nouns[i] if i >= 0 else "" for i in row] for row in ids.tolist()]
        return Answers(ids, texts, scores, np.exp(scores))
