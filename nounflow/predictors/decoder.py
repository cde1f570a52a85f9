"""The object decoder as a predictor: guided beam search over the lexicon, and how probable given nouns are."""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.decoder import DecoderConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import pack
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import END, TargetVocabulary
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.predictors.protocol import Answers, Predictor
from nounflow.schemas.models import PredictorManifest

_BATCH = 256
_LOGITS = 1 << 22  # worked on together


class DecoderPredictor(Predictor):
    """Writes nouns token by token."""

    def __init__(
        self,
        manifest: PredictorManifest,
        tensors: dict[str, torch.Tensor],
        device: str,
        config: GenerationConfig,
        *_unused: object,
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
        self._vocabulary = vocabulary

    @property
    def width(self) -> int:
        return self.config.beam_width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """A beam that is narrower than `top_k` is widened to it.

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

    @torch.inference_mode()
    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """Exact, whatever beam search would have found."""
        parts = max(1, -(-len(embeddings) // _BATCH))
        batches = zip(np.array_split(embeddings, parts), np.array_split(nouns, parts), strict=True)
        return np.concatenate([self._log_probabilities(batch, given).cpu().numpy() for batch, given in batches])

    def _log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> torch.Tensor:
        """By teacher forcing, several nouns of an embedding behind one prefix."""
        given = nouns >= 0
        found = torch.full(nouns.shape, -torch.inf, device=self._device)
        if not given.any():
            return found
        targets = nouns[given]
        offsets = np.concatenate([[0], np.cumsum(given.sum(axis=1))])
        weights = np.ones(len(targets), dtype=np.float32)
        prefix = self._model.config.prefix_tokens
        packed = pack(self._vocabulary, prefix, targets, weights, offsets).to(self._device)
        vectors = torch.from_numpy(embeddings).to(self._device, torch.float32)
        hidden = self._model(vectors, packed.tokens, packed.positions, packed.mask)
        states = hidden.reshape(-1, hidden.shape[-1])
        rows = max(1, _LOGITS // self._vocabulary.size)
        steps = torch.cat(
            [
                F.log_softmax(self._model.logits(states[place]).float(), dim=-1).gather(1, token[:, None])[:, 0]
                for place, token in zip(packed.predict_from.split(rows), packed.predict.split(rows), strict=True)
            ]
        )
        # as `pack` lays predictions out: each target's first token, then what follows each token of each target
        which = np.arange(len(targets))
        target = torch.from_numpy(np.concatenate([which, np.repeat(which, self._vocabulary.lengths[targets])]))
        totals = torch.zeros(len(targets), device=steps.device).index_add_(0, target.to(steps.device), steps)
        found[torch.from_numpy(given).to(found.device)] = totals
        return found

    def _spell_out(self, texts: list[list[str]], ids: np.ndarray, scores: np.ndarray, tokens: np.ndarray) -> None:
        """Write what was generated where it is no noun of the lexicon."""
        words = load_target_tokenizer(EmbedderConfig(spec=self.manifest.embedder.spec))
        for row, place in np.argwhere((ids < 0) & np.isfinite(scores)):
            written = tokens[row, place]
            texts[row][place] = words.target_decode(self._vocabulary.tokenizer_ids[written[written != END]].tolist())
