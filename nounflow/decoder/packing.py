"""Several targets behind one prefix: each sample's real targets in one row, kept apart by the attention mask.

A sample with three nouns costs one prefix and three short token runs instead of three whole sequences, and a
sample with one noun costs nothing for the two it lacks. The loss equals that of repeated sequences.
"""

import functools
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.device import on_device


@dataclass(frozen=True)
class PackedTargets:
    """Targets of a batch. `rows` of the batch are in the order of the embeddings."""

    tokens: torch.Tensor  # int64 [batch, new], padded with 0
    positions: torch.Tensor  # int64 [batch, new], place within the target
    block: torch.Tensor  # int32 [batch, new], target that each token belongs to, -1 for padding
    predict_from: torch.Tensor  # int64 [predictions], index into the flattened [batch * (prefix + new)] states
    predict: torch.Tensor  # int64 [predictions], the token to predict there
    weights: torch.Tensor  # float32 [predictions], weight of the target that the prediction belongs to
    prefix: int  # number of prefix vectors

    def to(self, device: str | torch.device) -> "PackedTargets":
        """The same layout on a device. The copy does not hold up the host."""
        device = torch.device(device)
        if device == self.tokens.device:
            return self
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: on_device(part, device.type) for name, part in parts.items() if isinstance(part, torch.Tensor)
        }
        return replace(self, **moved)

    @functools.cached_property
    def mask(self) -> torch.Tensor:
        """Who may look at whom, bool [batch, 1, prefix + new, prefix + new]; made where the tokens are.

        Prefix vectors see each other; a token sees the prefix, and its own target up to itself.
        """
        batch, new = self.block.shape
        mask = self.block.new_zeros(batch, self.prefix + new, self.prefix + new, dtype=torch.bool)
        mask[:, :, : self.prefix] = True
        causal = torch.ones(new, new, dtype=torch.bool, device=self.block.device).tril()
        mask[:, self.prefix :, self.prefix :] = (self.block[:, :, None] == self.block[:, None, :]) & causal
        return mask[:, None]


def pack(
    vocabulary: TargetVocabulary, prefix: int, targets: np.ndarray, target_weights: np.ndarray, offsets: np.ndarray
) -> PackedTargets:
    """Lay out a batch's targets.

    Args:
        prefix: number of prefix vectors.
        targets, target_weights: [total targets] of all samples in a row; `offsets` [batch + 1] cuts them.
    """
    batch = len(offsets) - 1
    sample = np.repeat(np.arange(batch), np.diff(offsets))  # [total targets]
    lengths = vocabulary.lengths[targets]
    # tokens of all targets in a row
    target_of_token = np.repeat(np.arange(len(targets)), lengths)
    first_token = np.cumsum(lengths) - lengths
    place = np.arange(len(target_of_token)) - first_token[target_of_token]
    token = vocabulary.tokens[targets[target_of_token], place]
    # their columns within each sample's row
    sample_of_token = sample[target_of_token]
    row_lengths = np.bincount(sample_of_token, minlength=batch)
    row_start = np.cumsum(row_lengths) - row_lengths
    column = np.arange(len(token)) - row_start[sample_of_token]
    new = int(row_lengths.max())
    tokens = np.zeros((batch, new), dtype=np.int64)
    positions = np.zeros((batch, new), dtype=np.int64)
    block = np.full((batch, new), -1, dtype=np.int32)
    tokens[sample_of_token, column] = token
    positions[sample_of_token, column] = place
    block[sample_of_token, column] = target_of_token
    # predictions: the first token from the last prefix vector, then from each token the one behind it
    states = prefix + new
    start_of_target = np.concatenate([sample * states + prefix - 1, sample_of_token * states + prefix + column])
    followers = np.concatenate([vocabulary.tokens[targets, 0], vocabulary.tokens[targets[target_of_token], place + 1]])
    weights = np.concatenate([target_weights, target_weights[target_of_token]])
    return PackedTargets(
        tokens=torch.from_numpy(tokens),
        positions=torch.from_numpy(positions),
        block=torch.from_numpy(block),
        predict_from=torch.from_numpy(start_of_target),
        predict=torch.from_numpy(followers),
        weights=torch.from_numpy(weights.astype(np.float32)),
        prefix=prefix,
    )
