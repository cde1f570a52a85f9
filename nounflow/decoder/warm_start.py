"""A decoder that begins near the nearest noun, and learns from there how to spell: `init: nouns`.

A token begins as the mean direction of the nouns that have it, the last prefix vector as the embedding itself, both
turned into the decoder's width by one isometry. The residual stream carries the one to the other, so that before the
first step already the likeliest token is one of a noun whose texts lie near.
"""

import math

import numpy as np
import torch
from torch import nn

from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary


def token_directions(vocabulary: TargetVocabulary, nouns: np.ndarray) -> np.ndarray:
    """Unit direction of each token, 0 where no noun says: float32 [vocabulary, dim].

    Args:
        nouns: their mean embeddings, float32 [nouns, dim]; 0 where there is none.

    A noun counts in full for its first token, by 1 / (1 + place) for those that follow: the first one is what an
    embedding has to choose, and later ones follow from those before.
    """
    known = np.abs(nouns).sum(1) > 0
    centred = np.where(known[:, None], nouns - nouns[known].mean(0), 0.0) if known.any() else nouns
    places = np.arange(vocabulary.tokens.shape[1])
    noun, place = np.nonzero(places < vocabulary.lengths[:, None])
    found = np.zeros((vocabulary.size, nouns.shape[1]), dtype=np.float64)
    np.add.at(found, vocabulary.tokens[noun, place], _unit(centred)[noun] / (1.0 + place[:, None]))
    return _unit(found).astype(np.float32)


@torch.no_grad()
def start_from(decoder: ObjectDecoder, directions: np.ndarray) -> None:
    """Set tokens and the last prefix vector in place, by `token_directions` [vocabulary, dim]."""
    if decoder.tokens.weight.is_meta:  # only its size is asked for
        return
    width, dim = decoder.config.width, decoder.dim
    turn = nn.init.orthogonal_(torch.empty(width, dim))  # an isometry, or a projection where dim > width
    scale = math.sqrt(0.5 * max(width, dim))  # elements of variance 1/2, as all other inputs have
    tokens = torch.from_numpy(directions) @ turn.T * scale  # [vocabulary, width]
    said = torch.from_numpy(directions.any(1))[:, None]
    for weight in (decoder.tokens.weight, *([decoder.output.weight] if decoder.output is not None else [])):
        weight.copy_(torch.where(said, tokens, weight))
    decoder.prefix.weight[-width:].copy_(turn * scale)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows [n, dim] of length 1, or 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))
