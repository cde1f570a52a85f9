"""What the parts of a training batch add up to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_material import (
    SMALL,
    Tiny,
    several_targets,
    tiny_training_set,
)

from nounflow.config.noise import NoiseConfig
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.streams import stream
from nounflow.training.batches import length_cuts, micro_batches, noisy
from nounflow.training.loop import TrainingRun
from nounflow.training.processes import Processes


@pytest.mark.parametrize("micro_batch", [1, 7, 64])
def test_a_batch_in_parts_has_the_gradient_of_the_whole_batch(micro_batch: int) -> None:
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


def test_the_first_step_is_that_of_adamw_on_the_mean_loss() -> None:
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
        assert gradient is not None
        decay = 0.1 if before.dim() >= 2 else 0.0
        moved = before * (1 - 1e-2 * decay) - 1e-2 * gradient / (gradient.abs() + 1e-8)
        clear = gradient.abs() > 1e-5  # the first step is the gradient's sign: rounding decides where there is none
        assert clear.any()
        assert torch.allclose(found[clear], moved[clear], atol=1e-4), name


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_rows_are_cut_into_groups_where_it_costs_least(lengths: list[int], group_cost: int) -> None:
    costs = np.sort(np.array(lengths))

    def price(cuts: list[int]) -> int:
        return sum(len(part) * int(part[-1]) + group_cost for part in np.split(costs, cuts))

    allowed = sorted({eighth * len(costs) // 8 for eighth in range(1, 8)} - {0})
    best = min(
        price([cut for place, cut in enumerate(allowed) if choice >> place & 1]) for choice in range(1 << len(allowed))
    )
    assert price(length_cuts(costs, group_cost)) == best


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_every_row_of_a_batch_is_in_one_part_and_no_part_is_too_large(rows: int, most: int, seed: int) -> None:
    cost = np.random.default_rng(seed).integers(1, 15, rows)
    parts = [np.concatenate(groups) for groups in micro_batches(cost, most, "cpu")]
    assert sorted(np.concatenate(parts)) == list(range(rows))
    assert max(map(len, parts)) <= most
    together = cost[np.concatenate(parts)]
    assert (np.diff(together) >= 0).all()


@given(st.integers(0, 2500), st.integers(0, 2500), st.sampled_from(["gauss_elem", "gauss_elem_uniform_angle"]))
@settings(max_examples=20, deadline=None)
def test_the_noise_of_a_place_does_not_depend_on_the_other_places(first: int, second: int, scheme: str) -> None:
    vectors = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).half()[torch.arange(2500) % 5]
    start, stop = sorted((first, second))
    noise = NoiseConfig(scheme=scheme)
    everything = noisy(vectors, range(2500), noise, 1, 3)
    if start < stop:
        some = noisy(vectors, range(start, stop), noise, 1, 3)
        assert torch.equal(some, everything[start:stop])
    assert not torch.equal(everything[:1000], everything[1025:2025])  # blocks have streams of their own


@pytest.mark.slow
def test_a_compiled_model_trains_the_same_weights() -> None:
    """It takes a C++ compiler, which torch names when there is none."""
    config = SMALL.model_copy(update={"layers": 1})
    plain, compiled = (Tiny.of(config=config, samples=128, compile=choice).train()[0] for choice in (False, True))
    for (name, one), other in zip(plain.state_dict().items(), compiled.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-4), name
