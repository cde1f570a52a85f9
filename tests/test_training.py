"""The training loop: what is learned, by one process or several, and which weights are the result."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_material import (
    DIM,
    SMALL,
    Tiny,
    run_training,
    same_weights,
    tiny_training_set,
    write_project,
)

from nounflow.config.generation import GenerationConfig
from nounflow.config.training import TrainingConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.trie import TokenTrie
from nounflow.errors import NounflowError
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.store.matrix import MappedMatrix
from nounflow.store.rows import StoredRows
from nounflow.store.weights import read_predictor
from nounflow.training.loop import TrainingRun
from nounflow.training.optimisation import AveragedWeights, learning_rate
from nounflow.training.processes import Processes


def test_vectors_that_stay_in_their_shards_train_the_same_weights() -> None:
    tiny = Tiny.of()
    assert isinstance(tiny.training_set.vectors, np.ndarray)
    halves = [StoredRows(half) for half in np.split(tiny.training_set.vectors, 2)]
    on_disk = dataclasses.replace(tiny.training_set, vectors=MappedMatrix(halves, DIM))
    (model, curves), (other, other_curves) = tiny.train(), Tiny.of(training_set=on_disk).train()
    assert same_weights(model, other)
    assert curves.rows == other_curves.rows


def test_thirty_two_nouns_are_learned_by_heart() -> None:
    tiny = Tiny.of(32, samples=19_200)
    model, curves = tiny.train()
    assert curves.of_kept()["token_accuracy"] == 1.0
    assert isinstance(tiny.training_set.vectors, np.ndarray)
    embeddings = torch.from_numpy(tiny.training_set.vectors.astype(np.float32))
    found = generate(model, embeddings, TokenTrie.build(tiny.vocabulary), GenerationConfig(beam_width=3))
    assert found.nouns[:, 0].tolist() == tiny.training_set.targets.tolist()


def test_the_same_seed_trains_the_same_weights_and_another_seed_others() -> None:
    config = SMALL.model_copy(update={"dropout": 0.2})
    first, again, other = (Tiny.of(seed=seed, config=config).train()[0] for seed in (1, 1, 2))
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_the_curves_name_samples_seen_and_end_with_the_last_sample() -> None:
    _model, curves = Tiny.of().train()
    table = curves.table()
    assert table["samples"].max() == curves.samples == 640
    assert set(table["split"]) == {"train", "heldout"}
    assert all(math.isfinite(value) for value in table["value"])
    assert not table.select("samples", "split", "metric").is_duplicated().any()


def test_held_out_samples_are_never_drawn() -> None:
    training_set = tiny_training_set(8)
    rows = training_set.draw(np.random.default_rng(0), 5000)
    assert not training_set.heldout[rows].any()
    assert set(rows) == set(np.flatnonzero(~training_set.heldout))


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    config = TrainingConfig(learning_rate=0.5, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.05 * (step + 1) for step in range(10)])
    assert max(rates) == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.25)  # half way down
    assert 0 < rates[-1] < 1e-3


# --- averaged weights ---


def test_averaged_weights_follow_their_formula_and_are_the_result() -> None:
    tiny = Tiny.of(ema=0.9)
    module = torch.nn.Linear(2, 2)
    average = AveragedWeights(module, 0.9)
    expected = module.weight.detach().clone()
    for step in range(5):
        with torch.no_grad():
            module.weight.add_(step)
        expected = 0.9 * expected + 0.1 * module.weight.detach()
        average.update()
    assert torch.allclose(average.tensors["weight"], expected)
    own = module.weight.detach().clone()
    with average.in_place():
        assert torch.equal(module.weight, average.tensors["weight"])
    assert torch.equal(module.weight, own)
    averaged, plain = tiny.train()[0], Tiny.of().train()[0]
    assert not same_weights(averaged, plain)


def test_with_averaged_weights_the_held_out_loss_is_theirs() -> None:
    tiny = Tiny.of(ema=0.99, evaluations=1)
    model, curves = tiny.train()
    task = DecoderTask(model.eval(), tiny.vocabulary, tiny.training_set)
    rows = np.flatnonzero(tiny.training_set.heldout)
    with torch.no_grad():
        parts = task.loss(torch.from_numpy(tiny.training_set.vectors[rows]).float(), rows)
    assert curves.of_kept()["loss"] == pytest.approx(float(parts.total / parts.basis), rel=1e-4)


# --- several processes ---


@pytest.mark.parametrize(
    "noise",
    [
        {"scheme": "gauss_elem_uniform_angle"},
        pytest.param(
            {"scheme": "covariance", "covariance": "texts", "rank": 4, "schedule": "cosine"}, marks=pytest.mark.extra
        ),
    ],
    ids=["drawn", "measured"],
)
def test_two_processes_train_the_weights_of_one(tmp_path: Path, noise: dict[str, Any]) -> None:
    project = write_project(tmp_path)
    shared = {
        "decoder": {"width": 32, "heads": 2, "layers": 1},
        "noise": noise,
        "training": {"samples": 1050, "batch_size": 35, "learning_rate": 1e-3, "precision": "fp32"},
    }
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--")
    alone = run_training(project, tmp_path / "one", shared)
    both = run_training(project, tmp_path / "two", shared, launcher=torchrun)
    assert alone.returncode == 0, alone.stdout
    assert both.returncode == 0, both.stdout
    (one, expected), (two, found) = (read_predictor(tmp_path / name / "manifest.json") for name in ("one", "two"))
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, atol=1e-5), name
    assert two.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=1e-4)
    assert two.samples == one.samples == 1050


def test_the_places_of_all_processes_are_the_batch() -> None:
    for count in (1, 2, 3, 7):
        places = [place for rank in range(count) for place in Processes("cpu", rank, count).places(35)]
        assert places == list(range(35))


def test_more_processes_than_samples_are_refused() -> None:
    tiny = Tiny.of(batch_size=2)
    task = DecoderTask(tiny.model(), tiny.vocabulary, tiny.training_set)
    with pytest.raises(NounflowError, match="batch_size"):
        TrainingRun(task, tiny.samples, tiny.settings, Processes("cpu", 0, 3), None)
