"""What is held out of training, and what follows from it: which weights are kept, and when to stop."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from training_material import (
    Tiny,
    run_training,
    several_targets,
    tiny_training_set,
    write_project,
)

from nounflow.config.noise import NoiseConfig
from nounflow.config.training import TrainingConfig
from nounflow.errors import NounflowError
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.store.weights import read_predictor
from nounflow.training.batches import spaced
from nounflow.training.heldout import held_out
from nounflow.training.validation import Choice, hold_out


def test_without_held_out_texts_there_is_no_held_out_curve() -> None:
    training_set = tiny_training_set(8)
    everything = dataclasses.replace(training_set, heldout=np.zeros_like(training_set.heldout))
    _model, curves = Tiny.of(training_set=everything).train()
    assert "loss" not in curves.of_kept()
    assert curves.samples == 640


def test_texts_that_a_rule_is_fitted_to_have_the_noise_of_the_last_step() -> None:
    training_set = tiny_training_set(8)
    without = held_out(training_set, NoiseConfig(scheme="none"), 1, 100)
    ending = held_out(training_set, NoiseConfig(norm=3.0, schedule="linear", schedule_end=0.0), 1, 100)
    assert np.allclose(ending.embeddings, without.embeddings, atol=1e-3)


def test_the_texts_of_held_out_nouns_and_templates_are_never_drawn_and_have_curves_of_their_own() -> None:
    training_set = several_targets(tiny_training_set(40))
    templates = np.array([f"template {i % 7}" for i in range(len(training_set.weights))])
    config = TrainingConfig(heldout_nouns=0.2, heldout_templates=0.3)
    samples = hold_out(training_set, config, [f"noun {i}" for i in range(40)], templates)
    nouns, of_templates = samples.heldout["heldout_nouns"], samples.heldout["heldout_templates"]
    assert set(samples.heldout) == {"heldout", "heldout_nouns", "heldout_templates"}
    together = np.concatenate(list(samples.heldout.values()))
    assert len(set(together)) == len(together)  # a text counts once
    drawn = np.unique(samples.training_set.draw(np.random.default_rng(0), 20_000))
    assert not set(drawn) & set(together)
    assert len(drawn) == len(templates) - len(together)

    def targets(rows: np.ndarray) -> list[set[int]]:
        return [set(training_set.targets_of(np.array([row]))[0].tolist()) for row in rows]

    unseen = set(range(40)) - set().union(*targets(drawn))
    assert unseen
    assert all(row & unseen for row in targets(nouns))
    assert set(templates[of_templates]) & set(templates[drawn]) == set()


def test_held_out_nouns_are_the_same_whatever_other_nouns_there_are() -> None:
    config = TrainingConfig(heldout_nouns=0.3)
    names = [f"noun {i}" for i in range(40)]
    whole = hold_out(tiny_training_set(40), config, names).heldout["heldout_nouns"] // 4
    half = hold_out(tiny_training_set(20), config, names[:20]).heldout["heldout_nouns"] // 4
    assert set(half) == {noun for noun in whole if noun < 20}


def test_a_split_with_many_rows_is_looked_at_evenly() -> None:
    rows = spaced(np.arange(100_000), 4096)
    assert len(rows) == 4096
    assert rows[0] == 0
    assert rows[-1] > 99_900
    assert set(np.diff(rows)) == {24, 25}


def test_holding_everything_out_is_refused() -> None:
    with pytest.raises(NounflowError, match="none is left to train on"):
        hold_out(tiny_training_set(8), TrainingConfig(heldout_nouns=0.999999), [f"noun {i}" for i in range(8)])


def test_watching_what_is_not_held_out_is_refused() -> None:
    with pytest.raises(ValueError, match="heldout_nouns above 0"):
        TrainingConfig(watch="nouns")
    training_set = tiny_training_set(8)
    everything = dataclasses.replace(training_set, heldout=np.zeros_like(training_set.heldout))
    with pytest.raises(NounflowError, match="none are held out"):
        hold_out(everything, TrainingConfig(patience=3), ["noun"] * 8)


def test_the_best_weights_by_held_out_loss_are_kept() -> None:
    """A learning rate that is far too high towards the end: the last weights are worse than earlier ones."""
    tiny = Tiny.of(8, samples=6400, learning_rate=0.3, warmup=0.9, keep="best", evaluations=20)
    model, curves = tiny.train()
    losses = {samples: value for samples, split, metric, value in curves.rows if (split, metric) == ("heldout", "loss")}
    assert curves.kept == min(losses, key=lambda samples: losses[samples]) < 6400
    assert curves.of_kept()["loss"] == min(losses.values())
    task = DecoderTask(model.eval(), tiny.vocabulary, tiny.training_set)
    rows = np.flatnonzero(tiny.training_set.heldout)
    with torch.no_grad():
        parts = task.loss(torch.from_numpy(tiny.training_set.vectors[rows]).float(), rows)
    assert float(parts.total / parts.basis) == pytest.approx(min(losses.values()), rel=1e-4)


def test_training_stops_when_patience_ends() -> None:
    tiny = Tiny.of(8, samples=64_000, learning_rate=0.3, warmup=0.9, evaluations=100, patience=3)
    _model, curves = tiny.train()
    losses = [value for _s, split, metric, value in curves.rows if (split, metric) == ("heldout", "loss")]
    assert curves.samples < 64_000
    assert min(losses) == losses[-4]  # three looks without a better one


def test_a_tie_is_no_improvement() -> None:
    choice, module = Choice(), torch.nn.Linear(1, 1)
    for loss in (2.0, 2.0, 1.0, 1.0, 1.5):
        choice.look(loss, 1, module, keep=False)
    assert (choice.loss, choice.evaluations_since) == (1.0, 2)


def test_the_script_holds_templates_out_by_the_captions_that_were_embedded(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    training = {"samples": 64, "batch_size": 32, "heldout_templates": 0.4, "watch": "templates", "keep": "best"}
    settings = {"head": {}, "training": training}
    told = run_training(project, tmp_path / "out", settings, kind="head")
    assert told.returncode == 1
    assert "--captions" in told.stdout
    captions = str(tmp_path / "captions/m1.parquet")
    done = run_training(project, tmp_path / "out", settings, "--captions", captions, kind="head")
    assert done.returncode == 0, done.stdout
    assert "heldout_templates_loss" in read_predictor(tmp_path / "out/manifest.json")[0].metrics
