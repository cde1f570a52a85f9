"""Published checkpoints: the imported decoder computes what the original did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.novic import PublishedDecoder, read_checkpoint
from nounflow.decoder.packing import pack
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import END, TargetVocabulary
from nounflow.embedders.library_tokenizer import LibraryTokenizer
from nounflow.embedders.openclip import load_tokenizer
from nounflow.predictors.decoder_training import decoder_loss
from nounflow.predictors.novic import target_vocabulary

FIXTURE = Path(__file__).parent / "fixtures/novic"
CHECKPOINT = FIXTURE / "checkpoint.train"
GUIDING = {"unguided": "none", "guided": "plain", "renorm": "renorm"}


@pytest.fixture(scope="module")
def expected() -> np.lib.npyio.NpzFile:
    found: np.lib.npyio.NpzFile = np.load(FIXTURE / "expected.npz")
    return found


@pytest.fixture(scope="module")
def published() -> PublishedDecoder:
    return read_checkpoint(CHECKPOINT)


@pytest.fixture(scope="module")
def words() -> LibraryTokenizer:
    return load_tokenizer("ViT-B-32-quickgelu/openai")


@pytest.fixture(scope="module")
def vocabulary(published: PublishedDecoder, words: LibraryTokenizer) -> TargetVocabulary:
    return target_vocabulary(published, words)[0]


@pytest.fixture(scope="module")
def model(published: PublishedDecoder, vocabulary: TargetVocabulary) -> ObjectDecoder:
    decoder = ObjectDecoder(published.dim, vocabulary.size, vocabulary.max_tokens, published.config)
    decoder.load_state_dict(published.tensors)
    return decoder.eval()


def test_the_parameter_count_is_that_of_the_published_formula(model: ObjectDecoder) -> None:
    prefix, width, dim, vocabulary, longest, layers, hidden = 4, 64, 512, 484, 9, 2, 16
    assert model.parameter_count == (
        prefix * width * dim
        + vocabulary * width
        + (prefix + longest - 1) * width
        + layers * (4 * width**2 + 2 * width * hidden + 2 * width)
        + width
    )


def test_the_nouns_are_those_of_the_file_in_the_original_s_tokens(
    published: PublishedDecoder, vocabulary: TargetVocabulary, expected: np.lib.npyio.NpzFile
) -> None:
    assert list(published.nouns) == json.loads((FIXTURE / "nouns.json").read_text())
    assert vocabulary.nouns == published.nouns
    assert np.array_equal(vocabulary.tokens[:16], expected["target_tokens"])


def test_the_vocabulary_s_ids_decode_to_the_nouns(vocabulary: TargetVocabulary, words: LibraryTokenizer) -> None:
    for noun, tokens, length in zip(vocabulary.nouns, vocabulary.tokens, vocabulary.lengths, strict=True):
        spelled = words.target_decode(vocabulary.tokenizer_ids[tokens[:length]].tolist())
        assert spelled.replace(" ", "") == noun.replace(" ", "")


def test_teacher_forced_logits_are_the_original_s(
    model: ObjectDecoder, vocabulary: TargetVocabulary, expected: np.lib.npyio.NpzFile
) -> None:
    prefix, places = 4, vocabulary.max_tokens - 1
    mask = torch.ones(prefix + places, prefix + places, dtype=torch.bool).tril()
    mask[:prefix, :prefix] = True
    tokens = torch.from_numpy(vocabulary.tokens[:16, :-1])
    with torch.no_grad():
        hidden = model(torch.from_numpy(expected["embeddings"]), tokens, torch.arange(places).expand(16, -1), mask)
        found = model.logits(hidden[:, prefix - 1 :]).numpy()
    real = ~expected["target_padding"]  # behind the end the original looks at nothing
    assert real.sum() == expected["loss_basis"]
    assert np.abs(found - expected["logits"][:, 0])[real].max() < 1e-4


def test_the_loss_of_packed_targets_is_the_original_s(
    model: ObjectDecoder, vocabulary: TargetVocabulary, expected: np.lib.npyio.NpzFile
) -> None:
    packed = pack(vocabulary, 4, np.arange(16), np.ones(16, dtype=np.float32), np.arange(17))
    with torch.no_grad():
        parts = decoder_loss(model, torch.from_numpy(expected["embeddings"]), packed)
    assert float(parts.total) == pytest.approx(float(expected["loss_sum"]), abs=1e-4)
    assert float(parts.basis) == float(expected["loss_basis"])


def following(model: ObjectDecoder, embedding: torch.Tensor, hypotheses: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits [hypotheses, vocabulary] of what follows each token sequence, recomputed from the beginning."""
    prefix, places = model.config.prefix_tokens, len(hypotheses[0])
    mask = torch.ones(prefix + places, prefix + places, dtype=torch.bool).tril()
    mask[:prefix, :prefix] = True
    tokens = torch.tensor(hypotheses, dtype=torch.int64).reshape(len(hypotheses), places)
    with torch.no_grad():
        hidden = model(embedding.expand(len(tokens), -1), tokens, torch.arange(places).expand(len(tokens), -1), mask)
        return model.logits(hidden[:, -1])


def published_search(
    model: ObjectDecoder, vocabulary: TargetVocabulary, embedding: torch.Tensor, width: int, guided: str
) -> list[tuple[tuple[int, ...], float]]:
    """The published search, from its description: finished nouns hold places of the beam, and there is one step
    fewer than the longest noun has tokens, so its end is neither written nor scored. (tokens, score), best first.
    """
    spelled = [tuple(row[: n + 1]) for row, n in zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True)]
    beam: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for place in range(vocabulary.max_tokens - 1):
        live = [(tokens, score) for tokens, score in beam if END not in tokens]
        beam = [(tokens, score) for tokens, score in beam if END in tokens]
        logits = list(following(model, embedding, [tokens for tokens, _score in live])) if live else []
        for (tokens, score), row in zip(live, logits, strict=True):
            allowed = torch.ones_like(row, dtype=torch.bool)
            if guided != "none":
                allowed[:] = False
                allowed[[noun[place] for noun in spelled if noun[:place] == tokens]] = True
            if guided == "renorm":
                row = row.masked_fill(~allowed, -torch.inf)
            steps = F.log_softmax(row, dim=-1)
            if place == 0:
                allowed[END] = False
            beam += [((*tokens, int(token)), score + float(steps[token])) for token in allowed.nonzero()[:, 0]]
        beam = sorted(beam, key=lambda hypothesis: -hypothesis[1])[:width]
    return beam


@pytest.mark.parametrize("name", GUIDING)
def test_the_published_search_over_the_imported_decoder_finds_the_original_s_beams(
    name: str, model: ObjectDecoder, vocabulary: TargetVocabulary, expected: np.lib.npyio.NpzFile
) -> None:
    for row, embedding in enumerate(torch.from_numpy(expected["embeddings"])):
        found = published_search(model, vocabulary, embedding[None], 5, GUIDING[name])
        assert [score for _, score in found] == pytest.approx(expected[f"beam_{name}_scores"][row].tolist(), abs=1e-4)
        for (tokens, _score), wanted in zip(found, expected[f"beam_{name}_tokens"][row].tolist(), strict=True):
            assert list(tokens) == wanted[: len(tokens)]
            assert not any(wanted[len(tokens) :])


BETTER = {"unguided": {(13, 4)}, "guided": {(8, 4), (15, 4)}, "renorm": set()}


@pytest.mark.parametrize("name", GUIDING)
def test_our_search_finds_the_original_s_beams_or_something_likelier(
    name: str, model: ObjectDecoder, vocabulary: TargetVocabulary, expected: np.lib.npyio.NpzFile
) -> None:
    """Ours keeps finished nouns apart, so that they take no place from what is still being written: of 240 places
    three, each the last of its beam, hold a likelier answer; all others the same one.
    """
    settings = GenerationConfig(beam_width=5, guided=GUIDING[name])
    found = generate(model, torch.from_numpy(expected["embeddings"]), TokenTrie.build(vocabulary), settings)
    tokens = np.zeros((16, 5, vocabulary.max_tokens), dtype=np.int64)
    original = expected[f"beam_{name}_tokens"]
    tokens[:, :, : original.shape[2]] = original
    same = (found.tokens.numpy() == tokens).all(2)
    gain = found.scores.numpy() - expected[f"beam_{name}_scores"]
    assert {tuple(place) for place in np.argwhere(~same).tolist()} == BETTER[name]
    assert np.abs(gain[same]).max() < 1e-4
    assert (gain[~same] > 0.1).all()


def test_the_only_other_difference_is_the_end_of_a_noun_of_the_greatest_length(
    model: ObjectDecoder, vocabulary: TargetVocabulary, expected: np.lib.npyio.NpzFile
) -> None:
    """With room for all nouns both searches score every noun; ours adds the end token that the original leaves out."""
    (longest,) = np.flatnonzero(vocabulary.lengths == vocabulary.max_tokens - 1)
    embeddings = torch.from_numpy(expected["embeddings"][:2])
    everything = GenerationConfig(beam_width=len(vocabulary.nouns))
    found = generate(model, embeddings, TokenTrie.build(vocabulary), everything)
    numbers = {
        tuple(row[: n + 1]): i
        for i, (row, n) in enumerate(zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True))
    }
    for row in range(2):
        ours = dict(zip(found.nouns[row].tolist(), found.scores[row].tolist(), strict=True))
        for tokens, score in published_search(model, vocabulary, embeddings[row][None], len(vocabulary.nouns), "plain"):
            if END in tokens:
                assert ours.pop(numbers[tokens]) == pytest.approx(score, abs=1e-3)
                continue
            end = F.log_softmax(following(model, embeddings[row][None], [tokens]), dim=-1)[0, END]
            assert tokens == tuple(vocabulary.tokens[longest, :-1].tolist())
            assert ours.pop(int(longest)) == pytest.approx(score + float(end), abs=1e-3)
        assert not ours
