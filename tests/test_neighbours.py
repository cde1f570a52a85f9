"""Nearest nouns as further prefix vectors of the decoder."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_decoder import all_log_probabilities
from training_material import DIM, NAMES, random_vocabulary, run_training, write_project

from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trie import TokenTrie
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.predictors.loading import load_predictor
from nounflow.store.training_set import open_training_set
from nounflow.store.weights import BANK

CONFIG = DecoderConfig(prefix_tokens=2, neighbours=3, width=32, heads=4, layers=2)
NOUNS = 12


def unit_rows(n: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def model() -> ObjectDecoder:
    vocabulary = random_vocabulary(NOUNS)
    torch.manual_seed(0)
    found = ObjectDecoder(DIM, vocabulary.size, vocabulary.max_tokens, CONFIG, NOUNS).eval()
    found.get_buffer(BANK).copy_(unit_rows(NOUNS, 1))
    return found


def test_the_nearest_nouns_stand_first_and_the_embedding_last(model: ObjectDecoder) -> None:
    bank = model.get_buffer(BANK)
    with torch.no_grad():
        vectors = model.prefix_vectors(bank[:4])
        own = model.neighbour(bank[:4])
    assert vectors.shape == (4, 5, 32)
    assert torch.allclose(vectors[:, 0], own, atol=1e-6)  # a noun is nearest to itself
    flat = model.prefix(bank[:4]).view(4, 2, 32)
    assert torch.allclose(vectors[:, 3:], flat, atol=1e-6)


def test_beam_search_and_teacher_forcing_agree_with_neighbours(model: ObjectDecoder) -> None:
    vocabulary, embeddings = random_vocabulary(NOUNS), unit_rows(5, 2)
    found = generate(model, embeddings, TokenTrie.build(vocabulary), GenerationConfig(beam_width=NOUNS))
    exact = all_log_probabilities(model, vocabulary, embeddings)
    best, order = exact.sort(dim=-1, descending=True)
    assert found.nouns[:, 0].tolist() == order[:, 0].tolist()
    assert torch.allclose(found.totals[:, 0], best[:, 0], atol=1e-4)


def test_other_neighbours_give_other_answers(model: ObjectDecoder) -> None:
    vocabulary, embeddings = random_vocabulary(NOUNS), unit_rows(5, 2)
    before = all_log_probabilities(model, vocabulary, embeddings)
    model.get_buffer(BANK).copy_(unit_rows(NOUNS, 3))
    assert not torch.allclose(before, all_log_probabilities(model, vocabulary, embeddings), atol=1e-3)


def test_a_trained_decoder_keeps_its_nouns_beside_its_weights(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    shape = {"neighbours": 2, "prefix_tokens": 2, "width": 32, "heads": 4, "layers": 1}
    settings = {"decoder": shape, "training": {"samples": 3200, "batch_size": 64, "learning_rate": 5e-3}}
    done = run_training(folder, folder / "run", settings)
    assert done.returncode == 0, done.stdout
    predictor = load_predictor(folder / "run/manifest.json", "cpu")
    assert isinstance(predictor, DecoderPredictor)
    texts = open_training_set(folder / "set/manifest.json")
    rows = np.arange(len(texts.vectors))
    answers = predictor.answer(texts.vectors[rows].astype(np.float32), 1).nouns[:, 0]
    right = (answers == texts.targets[texts.offsets[rows]]).mean()
    assert right > 2 / len(NAMES)
