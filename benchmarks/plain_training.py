"""The plain way to train the decoder, as the other side of benchmarks/training_speed.py.

Each embedding is repeated for the most nouns a text can have, absent nouns are padded sequences that weigh nothing,
every noun is padded to the longest one, logits are made at all places, all in fp32, and four figures are read back to
the host in every batch.
"""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.runs.decoder import DecoderRun
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.store.training_set import TrainingSet
from nounflow.training.batches import rows_of_step, torch_seed
from nounflow.training.noise import apply_noise
from nounflow.training.optimisation import adamw, learning_rate, set_learning_rate

MOST_NOUNS = 3


class PlainTraining:
    """Trains a decoder the plain way."""

    def __init__(
        self,
        model: ObjectDecoder,
        vocabulary: TargetVocabulary,
        training_set: TrainingSet,
        settings: DecoderRun,
    ) -> None:
        self.model, self._vocabulary, self._set, self._settings = model, vocabulary, training_set, settings
        self._optimizer = adamw(model, settings.training)

    def steps(self, steps: int) -> float:
        """Take some optimiser steps; returns the last loss."""
        config, seed, device = self._settings.training, self._settings.seed, next(self.model.parameters()).device
        loss_read = 0.0
        for step in range(steps):
            self.model.train()
            rows = rows_of_step(self._set, seed, step, config.batch_size)
            generator = torch.Generator(device).manual_seed(torch_seed(seed, "noise", step, 0))
            clean = torch.from_numpy(self._set.vectors[rows]).to(device).float()
            total, basis, correct = self.loss(apply_noise(clean, self._settings.noise, generator), rows)
            loss = total / basis
            loss.backward()
            loss_read, *_others = (float(figure.detach()) for figure in (loss, basis, correct, (basis > 0).sum()))
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
            set_learning_rate(self._optimizer, learning_rate(step, steps, config))
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
        return loss_read

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(sum of weighted cross-entropies, sum of weights, weight of right predictions) of some rows."""
        targets, weights, offsets = self._set.targets_of(rows)
        nouns = np.zeros((len(rows), MOST_NOUNS), dtype=np.int64)
        noun_weights = np.zeros((len(rows), MOST_NOUNS), dtype=np.float32)
        sample = np.repeat(np.arange(len(rows)), np.diff(offsets))
        place = np.arange(len(targets)) - offsets[sample]
        nouns[sample, place], noun_weights[sample, place] = targets, weights
        nouns = nouns.reshape(-1)
        labels = torch.from_numpy(self._vocabulary.tokens[nouns]).to(embeddings.device)  # [rows * nouns, longest + 1]
        real = np.arange(labels.shape[1]) <= self._vocabulary.lengths[nouns][:, None]  # END counts, padding does not
        prefix, new = self.model.config.prefix_tokens, labels.shape[1] - 1
        mask = torch.ones(prefix + new, prefix + new, dtype=torch.bool, device=embeddings.device).tril()
        mask[:prefix, :prefix] = True
        states = self.model(
            embeddings.repeat_interleave(MOST_NOUNS, dim=0),
            labels[:, :-1],
            torch.arange(new, device=embeddings.device).expand(len(nouns), new),
            mask,
        )
        logits = self.model.logits(states[:, prefix - 1 :]).flatten(0, 1)
        token_weights = torch.from_numpy((noun_weights.reshape(-1, 1) * real).astype(np.float32).reshape(-1))
        token_weights = token_weights.to(embeddings.device)
        losses = F.cross_entropy(logits, labels.flatten(), reduction="none")
        correct = token_weights * (logits.argmax(-1) == labels.flatten())
        return (token_weights * losses).sum(), token_weights.sum(), correct.sum()
