"""A decoder that begins near the nearest noun."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nounflow.config.decoder import DecoderConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.decoder.warm_start import start_from, token_directions

NOUNS = 120


@pytest.fixture(scope="module")
def vocabulary() -> TargetVocabulary:
    tokens = [[1000 + i, 1000 + (7 * i + 1) % NOUNS][: 1 + i % 2] for i in range(NOUNS)]
    return TargetVocabulary.build([f"noun {i}" for i in range(NOUNS)], tokens)


def unit_rows(dim: int) -> np.ndarray:
    rows = np.random.default_rng(3).normal(size=(NOUNS, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def right_first_tokens(decoder: ObjectDecoder, nouns: np.ndarray, vocabulary: TargetVocabulary) -> float:
    """Share of nouns whose own embedding makes their first token the likeliest."""
    with torch.no_grad():
        logits, _ = decoder.start(torch.from_numpy(nouns))
    return float((logits.argmax(-1).numpy() == vocabulary.tokens[:, 0]).mean())


@pytest.mark.parametrize(("dim", "tied"), [(64, True), (64, False), (48, True), (96, True)])
def test_before_the_first_step_an_embedding_already_finds_its_nearest_noun(
    vocabulary: TargetVocabulary, dim: int, tied: bool
) -> None:
    torch.manual_seed(1)
    config = DecoderConfig(width=64, heads=4, tied=tied)
    decoder = ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, config)
    nouns = unit_rows(dim)
    assert right_first_tokens(decoder, nouns, vocabulary) < 0.1
    start_from(decoder, token_directions(vocabulary, nouns))
    assert right_first_tokens(decoder, nouns, vocabulary) > 0.7


def test_directions_are_unit_means_in_which_later_tokens_weigh_less() -> None:
    vocabulary = TargetVocabulary.build(["a", "b", "a b"], [[5], [6], [5, 6]])
    nouns = np.eye(3, dtype=np.float32)
    found = token_directions(vocabulary, nouns)
    centred = np.eye(3) - 1 / 3
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    of_b = centred[1] + 0.5 * centred[2]
    np.testing.assert_allclose(found[vocabulary.tokens[1, 0]], of_b / np.linalg.norm(of_b), atol=1e-6)
    assert not found[0].any()  # END is of no noun


def test_tokens_of_nouns_without_texts_keep_their_random_start(vocabulary: TargetVocabulary) -> None:
    nouns = unit_rows(32)
    nouns[10] = 0.0
    directions = token_directions(vocabulary, nouns)
    alone = vocabulary.tokens[10, 0]
    others = {int(t) for row in (*range(10), *range(11, NOUNS)) for t in vocabulary.tokens[row, :2]}
    decoder = ObjectDecoder(32, vocabulary.size, vocabulary.max_tokens, DecoderConfig(width=32, heads=2))
    before = decoder.tokens.weight.detach().clone()
    start_from(decoder, directions)
    kept = (decoder.tokens.weight == before).all(1)
    assert bool(kept[0])
    assert bool(kept[alone]) == (int(alone) not in others)
    assert int(kept.sum()) <= 2
