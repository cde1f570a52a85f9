"""The training loop: what is learned, what a batch's parts add up to, what is held out, and what goes wrong."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_material import (
    DIM,
    SMALL,
    Tiny,
    random_vocabulary,
    run_training,
    same_weights,
    several_targets,
    tiny_training_set,
    write_project,
)

from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.config.head import HeadConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.training import TrainingConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trie import TokenTrie
from nounflow.errors import NounflowError
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.predictors.head import NounHead
from nounflow.predictors.head_training import HeadTask
from nounflow.store.matrix import MappedMatrix
from nounflow.store.rows import StoredRows
from nounflow.store.weights import read_predictor
from nounflow.streams import stream
from nounflow.training.batches import length_cuts, micro_batches, noisy, spaced
from nounflow.training.loop import TrainingRun
from nounflow.training.memory import activation_bytes, check_size, require
from nounflow.training.optimisation import AveragedWeights, learning_rate
from nounflow.training.processes import Processes
from nounflow.training.validation import Choice, hold_out

# --- learning ---


def test_vectors_that_stay_in_their_shards_train_the_same_weights():
    tiny = Tiny.of()
    halves = [StoredRows(half) for half in np.split(tiny.training_set.vectors, 2)]
    on_disk = dataclasses.replace(tiny.training_set, vectors=MappedMatrix(halves, DIM))
    (model, curves), (other, other_curves) = tiny.train(), Tiny.of(training_set=on_disk).train()
    assert same_weights(model, other)
    assert curves.rows == other_curves.rows


def test_thirty_two_nouns_are_learned_by_heart():
    tiny = Tiny.of(32, samples=19_200)
    model, curves = tiny.train()
    assert curves.last("heldout")["token_accuracy"] == 1.0
    embeddings = torch.from_numpy(tiny.training_set.vectors.astype(np.float32))
    found = generate(model, embeddings, TokenTrie.build(tiny.vocabulary), GenerationConfig(beam_width=3))
    assert found.nouns[:, 0].tolist() == tiny.training_set.targets.tolist()


def test_the_same_seed_trains_the_same_weights_and_another_seed_others():
    config = SMALL.model_copy(update={"dropout": 0.2})
    first, again, other = (Tiny.of(seed=seed, config=config).train()[0] for seed in (1, 1, 2))
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_the_curves_name_samples_seen_and_end_with_the_last_sample():
    _model, curves = Tiny.of().train()
    table = curves.table()
    assert table["samples"].max() == curves.samples == 640
    assert set(table["split"]) == {"train", "heldout"}
    assert all(math.isfinite(value) for value in table["value"])
    assert not table.select("samples", "split", "metric").is_duplicated().any()


def test_held_out_samples_are_never_drawn():
    training_set = tiny_training_set(8)
    rows = training_set.draw(np.random.default_rng(0), 5000)
    assert not training_set.heldout[rows].any()
    assert set(rows) == set(np.flatnonzero(~training_set.heldout))


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    config = TrainingConfig(learning_rate=0.5, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.05 * (step + 1) for step in range(10)])
    assert max(rates) == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.25)  # half way down
    assert 0 < rates[-1] < 1e-3


# --- parts of a batch ---


@pytest.mark.parametrize("micro_batch", [1, 7, 64])
def test_a_batch_in_parts_has_the_gradient_of_the_whole_batch(micro_batch):
    """The parts differ in their sums of weights: a mean of their means would be another gradient."""
    training_set = several_targets(tiny_training_set(8))
    whole, parts = (Tiny.of(training_set=training_set, micro_batch=most) for most in (None, micro_batch))
    gradients = []
    for tiny in (whole, parts):
        task = DecoderTask(tiny.model(), tiny.vocabulary, training_set)
        run = TrainingRun(task, tiny.samples, tiny.settings, Processes("cpu"), None)
        run.gradients()
        gradients.append([parameter.grad for parameter in task.module.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))


def test_the_first_step_is_that_of_adamw_on_the_mean_loss():
    training_set = several_targets(tiny_training_set(8))
    tiny = Tiny.of(training_set=training_set, micro_batch=5, samples=64, clip=1e9, noise=1e-9, learning_rate=1e-2)
    trained, _curves = tiny.train()
    oracle = tiny.model()
    task = DecoderTask(oracle, tiny.vocabulary, training_set)
    rows = training_set.draw(stream(1, "samples", 0), 64)
    parts = task.loss(torch.from_numpy(training_set.vectors[rows]).float(), rows)
    (parts.total / parts.basis).backward()
    expected = dict(oracle.named_parameters())
    for name, found in trained.named_parameters():
        before, gradient = expected[name].detach(), expected[name].grad
        decay = 0.1 if before.dim() >= 2 else 0.0
        moved = before * (1 - 1e-2 * decay) - 1e-2 * gradient / (gradient.abs() + 1e-8)
        clear = gradient.abs() > 1e-5  # the first step is the gradient's sign: rounding decides where there is none
        assert clear.any()
        assert torch.allclose(found[clear], moved[clear], atol=1e-4), name


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_rows_are_cut_into_groups_where_it_costs_least(costs, group_cost):
    costs = np.sort(np.array(costs))

    def price(cuts):
        return sum(len(part) * part[-1] + group_cost for part in np.split(costs, cuts))

    allowed = sorted({eighth * len(costs) // 8 for eighth in range(1, 8)} - {0})
    best = min(
        price([cut for place, cut in enumerate(allowed) if choice >> place & 1]) for choice in range(1 << len(allowed))
    )
    assert price(length_cuts(costs, group_cost)) == best


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_every_row_of_a_batch_is_in_one_part_and_no_part_is_too_large(rows, most, seed):
    cost = np.random.default_rng(seed).integers(1, 15, rows)
    parts = [np.concatenate(groups) for groups in micro_batches(cost, most, "cpu")]
    assert sorted(np.concatenate(parts)) == list(range(rows))
    assert max(map(len, parts)) <= most
    together = cost[np.concatenate(parts)]
    assert (np.diff(together) >= 0).all()


@given(st.integers(0, 2500), st.integers(0, 2500), st.sampled_from(["gauss_elem", "gauss_elem_uniform_angle"]))
@settings(max_examples=20, deadline=None)
def test_the_noise_of_a_place_does_not_depend_on_the_other_places(first, second, scheme):
    vectors = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).half()[torch.arange(2500) % 5]
    start, stop = sorted((first, second))
    noise = NoiseConfig(scheme=scheme)
    everything = noisy(vectors, range(2500), noise, 1, 3)
    if start < stop:
        some = noisy(vectors, range(start, stop), noise, 1, 3)
        assert torch.equal(some, everything[start:stop])
    assert not torch.equal(everything[:1000], everything[1025:2025])  # blocks have streams of their own


@pytest.mark.slow
def test_a_compiled_model_trains_the_same_weights():
    """It takes a C++ compiler, which torch names when there is none."""
    config = SMALL.model_copy(update={"layers": 1})
    plain, compiled = (Tiny.of(config=config, samples=128, compile=choice).train()[0] for choice in (False, True))
    for (name, one), other in zip(plain.state_dict().items(), compiled.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-4), name


# --- averaged weights ---


def test_averaged_weights_follow_their_formula_and_are_the_result():
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


def test_with_averaged_weights_the_held_out_loss_is_theirs():
    tiny = Tiny.of(ema=0.99, evaluations=1)
    model, curves = tiny.train()
    task = DecoderTask(model.eval(), tiny.vocabulary, tiny.training_set)
    rows = np.flatnonzero(tiny.training_set.heldout)
    with torch.no_grad():
        parts = task.loss(torch.from_numpy(tiny.training_set.vectors[rows]).float(), rows)
    assert curves.last("heldout")["loss"] == pytest.approx(float(parts.total / parts.basis), rel=1e-4)


# --- held out ---


def test_without_held_out_texts_there_is_no_held_out_curve():
    training_set = tiny_training_set(8)
    everything = dataclasses.replace(training_set, heldout=np.zeros_like(training_set.heldout))
    _model, curves = Tiny.of(training_set=everything).train()
    assert curves.last("heldout") == {}
    assert curves.samples == 640


def test_the_texts_of_held_out_nouns_and_templates_are_never_drawn_and_have_curves_of_their_own():
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

    def targets(rows):
        return [set(training_set.targets_of(np.array([row]))[0].tolist()) for row in rows]

    unseen = set(range(40)) - set.union(*targets(drawn))
    assert unseen
    assert all(row & unseen for row in targets(nouns))
    assert set(templates[of_templates]) & set(templates[drawn]) == set()


def test_held_out_nouns_are_the_same_whatever_other_nouns_there_are():
    config = TrainingConfig(heldout_nouns=0.3)
    names = [f"noun {i}" for i in range(40)]
    whole = hold_out(tiny_training_set(40), config, names).heldout["heldout_nouns"] // 4
    half = hold_out(tiny_training_set(20), config, names[:20]).heldout["heldout_nouns"] // 4
    assert set(half) == {noun for noun in whole if noun < 20}


def test_a_split_with_many_rows_is_looked_at_evenly():
    rows = spaced(np.arange(100_000), 4096)
    assert len(rows) == 4096
    assert rows[0] == 0
    assert rows[-1] > 99_900
    assert set(np.diff(rows)) == {24, 25}


def test_holding_everything_out_is_refused():
    with pytest.raises(NounflowError, match="none is left to train on"):
        hold_out(tiny_training_set(8), TrainingConfig(heldout_nouns=0.999999), [f"noun {i}" for i in range(8)])


def test_watching_what_is_not_held_out_is_refused():
    with pytest.raises(ValueError, match="heldout_nouns above 0"):
        TrainingConfig(watch="nouns")
    training_set = tiny_training_set(8)
    everything = dataclasses.replace(training_set, heldout=np.zeros_like(training_set.heldout))
    with pytest.raises(NounflowError, match="none are held out"):
        hold_out(everything, TrainingConfig(patience=3), ["noun"] * 8)


def test_the_best_weights_by_held_out_loss_are_kept():
    """A learning rate that is far too high towards the end: the last weights are worse than earlier ones."""
    tiny = Tiny.of(8, samples=6400, learning_rate=0.3, warmup=0.9, keep="best", evaluations=20)
    model, curves = tiny.train()
    losses = {samples: value for samples, split, metric, value in curves.rows if (split, metric) == ("heldout", "loss")}
    assert curves.kept == min(losses, key=losses.get) < 6400
    assert curves.of_kept()["loss"] == min(losses.values())
    task = DecoderTask(model.eval(), tiny.vocabulary, tiny.training_set)
    rows = np.flatnonzero(tiny.training_set.heldout)
    with torch.no_grad():
        parts = task.loss(torch.from_numpy(tiny.training_set.vectors[rows]).float(), rows)
    assert float(parts.total / parts.basis) == pytest.approx(min(losses.values()), rel=1e-4)


def test_training_stops_when_patience_ends():
    tiny = Tiny.of(8, samples=64_000, learning_rate=0.3, warmup=0.9, evaluations=100, patience=3)
    _model, curves = tiny.train()
    losses = [value for _s, split, metric, value in curves.rows if (split, metric) == ("heldout", "loss")]
    assert curves.samples < 64_000
    assert min(losses) == losses[-4]  # three looks without a better one


def test_a_tie_is_no_improvement():
    choice, module = Choice(), torch.nn.Linear(1, 1)
    for loss in (2.0, 2.0, 1.0, 1.0, 1.5):
        choice.look(loss, 1, module, keep=False)
    assert (choice.loss, choice.evaluations_since) == (1.0, 2)


def test_the_script_holds_templates_out_by_the_captions_that_were_embedded(tmp_path):
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


# --- several processes ---


@pytest.mark.parametrize(
    "noise",
    [
        {"scheme": "gauss_elem_uniform_angle"},
        {"scheme": "covariance", "covariance": "texts", "rank": 4, "schedule": "cosine"},
    ],
    ids=["drawn", "measured"],
)
def test_two_processes_train_the_weights_of_one(tmp_path, noise):
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


def test_the_places_of_all_processes_are_the_batch():
    for count in (1, 2, 3, 7):
        places = [place for rank in range(count) for place in Processes("cpu", rank, count).places(35)]
        assert places == list(range(35))


def test_more_processes_than_samples_are_refused():
    tiny = Tiny.of(batch_size=2)
    task = DecoderTask(tiny.model(), tiny.vocabulary, tiny.training_set)
    with pytest.raises(NounflowError, match="batch_size"):
        TrainingRun(task, tiny.samples, tiny.settings, Processes("cpu", 0, 3), None)


# --- bad input ---


def test_a_diverging_run_stops_with_the_step_and_its_rows():
    tiny = Tiny.of()
    model = tiny.model()
    with torch.no_grad():
        model.tokens.weight[0, 0] = float("nan")
    with pytest.raises(NounflowError, match="at step 1 of 10") as caught:
        tiny.train(model=model)
    assert "learning_rate" in str(caught.value)
    rows = tiny.training_set.draw(stream(1, "samples", 0), 64)
    assert f"rows of the step: {', '.join(map(str, rows[:20]))} ... (64 in all)" in str(caught.value)
    assert "last good checkpoint: none" in str(caught.value)


def test_a_broken_embedding_is_named_by_its_row():
    tiny = Tiny.of()
    tiny.training_set.vectors[13, 0] = np.inf
    with pytest.raises(NounflowError, match="not finite are the embeddings of rows 13") as caught:
        tiny.train()
    first = next(step for step in range(10) if 13 in tiny.training_set.draw(stream(1, "samples", step), 64))
    assert f"at step {first + 1} of 10" in str(caught.value)


def test_a_model_too_large_for_memory_is_refused_before_it_is_made():
    def build():
        return ObjectDecoder(768, 50_000, 9, DecoderConfig(width=262_144, heads=8, layers=40))

    with pytest.raises(NounflowError) as caught:
        check_size(build, TrainingConfig(ema=0.9), "cpu")
    for part in ("GiB are free", "weights (", "gradients", "optimiser", "averaged weights"):
        assert part in str(caught.value)


def test_activations_too_large_for_memory_are_named(monkeypatch):
    monkeypatch.setattr("nounflow.training.loop.free_memory", lambda _device: 1_000_000)
    with pytest.raises(NounflowError, match="activations of 64 samples") as caught:
        Tiny.of().train()
    assert "micro_batch" in str(caught.value)


def test_memory_that_cannot_be_known_refuses_nothing():
    require({"weights": 1 << 60}, None, "cpu")


@pytest.mark.parametrize("kind", ["decoder", "head"])
def test_the_estimate_of_activations_is_what_the_backward_pass_keeps(kind):
    vocabulary, training_set = random_vocabulary(64, seed=9), several_targets(tiny_training_set(64))
    config = DecoderConfig(prefix_tokens=4, width=64, heads=4, layers=3, dropout=0.0)
    if kind == "decoder":
        task = DecoderTask(ObjectDecoder(DIM, vocabulary.size, vocabulary.max_tokens, config), vocabulary, training_set)
    else:
        task = HeadTask(NounHead(DIM, 64, HeadConfig(hidden=32)), training_set)
    rows = np.arange(256)
    rows = rows[np.argsort(task.cost(rows), kind="stable")]
    estimate = activation_bytes(task, DIM, rows, "cpu", None)
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = task.loss(torch.randn(256, DIM), rows)
    weights = sum(parameter.untyped_storage().nbytes() for parameter in task.module.parameters())
    assert 0.7 * (sum(kept.values()) - weights) < estimate < 1.5 * sum(kept.values())
    del loss
