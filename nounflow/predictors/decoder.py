"""The object decoder as a predictor: guided beam search over the lexicon, and how probable given nouns are."""

import copy
from collections.abc import Sequence

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
from nounflow.embedders.tokenizer import TargetTokenizer, load_target_tokenizer
from nounflow.predictors.protocol import Answers, Predictor, batches
from nounflow.schemas.models import PredictorManifest

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
            nouns=len(manifest.nouns),
        )
        self._model.load_state_dict(tensors)
        self._model.to(device).eval()
        self._lexicon = TokenTrie.build(vocabulary).to(device)
        self._vocabulary = vocabulary
        self._guide, self._texts = self._lexicon, vocabulary.nouns

    @property
    def width(self) -> int:
        return self.config.beam_width

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        """A beam that is narrower than `top_k` is widened to it; greedy search gives one noun.

        Unguided, what is written may be no noun of the lexicon.
        """
        width = 1 if self.config.method == "greedy" else max(self.config.beam_width, top_k)
        config = self.config.model_copy(update={"beam_width": width})
        parts = [
            generate(
                self._model,
                torch.from_numpy(batch).to(self._device, torch.float32),
                self._guide,
                config,
                vocabulary=self._lexicon,
            )
            for batch in batches(embeddings)
        ]
        ids = torch.cat([part.nouns for part in parts])[:, :top_k].cpu().numpy()
        scores = torch.cat([part.scores for part in parts])[:, :top_k].cpu().numpy()
        totals = torch.cat([part.totals for part in parts])[:, :top_k].cpu().numpy()
        texts = [[self._texts[i] if i >= 0 else "" for i in row] for row in ids.tolist()]
        tokens = torch.cat([part.tokens for part in parts])[:, :top_k]
        if config.guided == "none":
            self._spell_out(texts, ids, scores, tokens.cpu().numpy())
        if self._guide is not self._lexicon:  # the list's numbers -> the lexicon's
            ids = self._lexicon.find(tokens.flatten(0, 1)).view(tokens.shape[:2]).cpu().numpy()
        return Answers(ids, texts, scores, np.exp(totals))

    def guided_by(self, nouns: Sequence[str]) -> tuple[Predictor, list[str]]:
        """Also nouns beyond the lexicon, where the vocabulary spells them. Unguided settings become "plain"."""
        compact = {token: i for i, token in enumerate(self._vocabulary.tokenizer_ids.tolist()) if i > 0}
        spelled: dict[tuple[int, ...], str] = {}
        left_out = []
        for noun, ids in zip(nouns, self._words().target_tokens(list(nouns)), strict=True):
            row = tuple(compact.get(token, -1) for token in ids)
            if not row or -1 in row or len(row) >= self._model.max_tokens or row in spelled:
                left_out.append(noun)
            else:
                spelled[row] = noun
        guided = copy.copy(self)
        guided._texts = tuple(spelled.values())
        lengths = np.array([len(row) for row in spelled], dtype=np.int64)
        tokens = np.zeros((len(spelled), self._model.max_tokens), dtype=np.int64)
        for place, row in enumerate(spelled):
            tokens[place, : len(row)] = row
        guided._guide = TokenTrie.of_rows(tokens, lengths, np.arange(len(spelled))).to(self._device)
        if self.config.guided == "none":
            guided.config = self.config.model_copy(update={"guided": "plain"})
        return guided, left_out

    @torch.inference_mode()
    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        """Exact, whatever beam search would have found."""
        parts = zip(batches(embeddings), batches(nouns), strict=True)
        return np.concatenate([self._log_probabilities(batch, given).cpu().numpy() for batch, given in parts])

    def _log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> torch.Tensor:
        """By teacher forcing, several nouns of an embedding behind one prefix."""
        given = nouns >= 0
        found = torch.full(nouns.shape, -torch.inf, device=self._device)
        if not given.any():
            return found
        targets = nouns[given]
        offsets = np.concatenate([[0], np.cumsum(given.sum(axis=1))])
        weights = np.ones(len(targets), dtype=np.float32)
        prefix = self._model.config.prefix_length
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
        words = self._words()
        for row, place in np.argwhere((ids < 0) & np.isfinite(scores)):
            written = tokens[row, place]
            texts[row][place] = words.target_decode(self._vocabulary.tokenizer_ids[written[written != END]].tolist())

    def _words(self) -> TargetTokenizer:
        return load_target_tokenizer(EmbedderConfig(spec=self.manifest.embedder.spec))
