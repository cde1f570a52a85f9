"""The object decoder as a predictor: guided beam search over the lexicon."""

from pathlib import Path

import numpy as np
import torch

from nounflow.config.decoder import DecoderConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.noun_log_probabilities import log_probabilities
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import END, TargetVocabulary
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.predictors.protocol import Answers
from nounflow.schemas.models import PredictorManifest

_BATCH = 256


def load(
    manifest: PredictorManifest,
    tensors: dict[str, torch.Tensor],
    _path: Path,
    device: str,
    generation: GenerationConfig,
) -> "DecoderPredictor":
    """See `PredictorKind.load`."""
    return DecoderPredictor(manifest, tensors, device, generation)


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
            nouns=len(manifest.nouns),
        )
        self._model.load_state_dict(tensors)
        self._model.to(device).eval()
        self._trie = TokenTrie.build(vocabulary).to(device)
        self._vocabulary = vocabulary

    @property
    def width(self) -> int:
        """See `Predictor.width`."""
        return self.config.beam_width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """See `Predictor.answer`; a beam that is narrower than `top_k` is widened to it.

        Unguided, what is written may be no noun of the lexicon.
        """
        config = self.config.model_copy(update={"beam_width": max(self.config.beam_width, top_k)})
        parts = [
            generate(self._model, torch.from_numpy(batch).to(self._device, torch.float32), self._trie, config)
            for batch in np.array_split(embeddings, max(1, -(-len(embeddings) // _BATCH)))
        ]
        ids = torch.cat([part.nouns for part in parts])[:, :top_k].cpu().numpy()
        scores = torch.cat([part.scores for part in parts])[:, :top_k].cpu().numpy()
        totals = torch.cat([part.totals for part in parts])[:, :top_k].cpu().numpy()
        texts = [[self._vocabulary.nouns[i] if i >= 0 else "" for i in row] for row in ids.tolist()]
        if config.guided == "none":
            self._spell_out(texts, ids, scores, torch.cat([part.tokens for part in parts]).cpu().numpy())
        return Answers(ids, texts, scores, np.exp(totals))

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """See `Predictor.log_probabilities`; exact, whatever beam search would have found."""
        parts = max(1, -(-len(embeddings) // _BATCH))
        found = [
            log_probabilities(
                self._model, self._vocabulary, torch.from_numpy(batch).to(self._device, torch.float32), given
            )
            for batch, given in zip(np.array_split(embeddings, parts), np.array_split(nouns, parts), strict=True)
        ]
        return torch.cat(found).cpu().numpy()

    def _spell_out(self, texts: list[list[str]], ids: np.ndarray, scores: np.ndarray, tokens: np.ndarray) -> None:
        """Write what was generated where it is no noun of the lexicon."""
        words = load_target_tokenizer(EmbedderConfig(spec=self.manifest.embedder.spec))
        for row, place in np.argwhere((ids < 0) & np.isfinite(scores)):
            written = tokens[row, place]
            texts[row][place] = words.target_decode(self._vocabulary.tokenizer_ids[written[written != END]].tolist())
