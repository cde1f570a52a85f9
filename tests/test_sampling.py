"""Draws by weight and batches: exact, the same after a resume, the same from memory and from disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_material import DIM, make_material, unit_rows

from nounflow.store.matrix import MappedMatrix
from nounflow.store.merging import MANIFEST, merge
from nounflow.store.rows import StoredRows, encode
from nounflow.store.sampling import WeightedRows, training_batches
from nounflow.store.training_set import open_training_set
from nounflow.streams import stream

ROWS = 400


@settings(max_examples=200, deadline=None)
@given(
    weights=st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1e3)), min_size=1, max_size=200).filter(any),
    seed=st.integers(0, 100),
)
def test_draws_are_those_of_a_search_in_the_cumulative_weights(weights: list[float], seed: int) -> None:
    cumulative = np.cumsum(np.array(weights))
    uniforms = np.concatenate([[0.0, 1 - 2**-53], np.random.default_rng(seed).random(500), cumulative / cumulative[-1]])
    uniforms = uniforms[uniforms < 1]
    heights = uniforms * cumulative[-1]
    sound = heights < cumulative[-1]  # beyond, a plain search would fall off the end
    rows = WeightedRows(np.array(weights)).at(uniforms)
    assert np.array_equal(rows[sound], np.searchsorted(cumulative, heights[sound], side="right"))
    assert (np.array(weights)[rows] > 0).all()


def matrix_on_disk(vectors: np.ndarray, dtype: Literal["float16", "int8"] = "float16") -> MappedMatrix:
    """Three shards of unequal size."""
    cuts = np.split(vectors, [37, 150])
    return MappedMatrix([encode(part, dtype, "x") for part in cuts], vectors.shape[1])


def weighted(weights: np.ndarray) -> Callable[[np.random.Generator, int], np.ndarray]:
    by_weight = WeightedRows(weights)
    return lambda generator, n: by_weight.at(generator.random(n))


def batches(
    vectors: Any, steps: range, batch_size: int = 32, buffer_bytes: int = 5 * 32 * DIM * 2
) -> list[tuple[list[int], bytes]]:
    weights = np.random.default_rng(1).exponential(size=ROWS)
    drawn = training_batches(weighted(weights), vectors, 7, batch_size, steps, "cpu", buffer_bytes)
    return [(rows.tolist(), found.numpy().tobytes()) for rows, found in drawn]


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_batches_from_disk_are_those_from_memory_whatever_the_buffer(dtype: Literal["float16", "int8"]) -> None:
    vectors = unit_rows(ROWS, 2)
    in_memory = batches(encode(vectors, dtype, "x")[:], range(23))
    for buffer_bytes in (1, 5 * 32 * DIM * 2, 1 << 20):
        assert batches(matrix_on_disk(vectors, dtype), range(23), buffer_bytes=buffer_bytes) == in_memory


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_resumed_run_goes_on_with_the_same_samples_bit_for_bit(where: str) -> None:
    vectors = unit_rows(ROWS, 2).astype(np.float16)
    source = vectors if where == "memory" else matrix_on_disk(vectors.astype(np.float32))
    whole = batches(source, range(20))
    assert batches(source, range(13, 20)) == whole[13:]
    assert batches(source, range(6)) == whole[:6]


def test_samples_from_disk_follow_the_weights() -> None:
    """Pearson's chi-square over all rows, against its mean plus five standard deviations."""
    vectors = matrix_on_disk(unit_rows(ROWS, 2))
    weights = np.random.default_rng(3).exponential(size=ROWS) + 0.05
    weights[::10] = 0
    steps, size = 60, 4096
    drawn = training_batches(weighted(weights), vectors, 11, size, range(steps), "cpu", 7 * size * DIM * 2)
    counted = np.sum([np.bincount(rows, minlength=ROWS) for rows, _found in drawn], axis=0)
    expected = weights / weights.sum() * steps * size
    assert (counted[weights == 0] == 0).all()
    live = weights > 0
    statistic = ((counted[live] - expected[live]) ** 2 / expected[live]).sum()
    freedom = live.sum() - 1
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)
    assert statistic > freedom - 5 * np.sqrt(2 * freedom)  # too even would be no random draw


def test_reading_stays_within_the_buffer() -> None:
    asked = []

    class Watched(MappedMatrix):
        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            asked.append(len(rows))
            return super().__getitem__(rows)

    vectors = Watched([encode(unit_rows(ROWS, 2), "float16", "x")], DIM)
    batches(vectors, range(11), buffer_bytes=4 * 32 * DIM * 2)
    assert asked == [128, 128, 96]


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.integers(0, ROWS - 1), max_size=60))
def test_rows_gathered_over_shards_are_those_of_one_matrix(rows: list[int]) -> None:
    vectors = unit_rows(ROWS, 2)
    gathered = matrix_on_disk(vectors)[np.array(rows, dtype=np.int64)]
    assert np.array_equal(gathered, vectors.astype(np.float16)[np.array(rows, dtype=np.int64)])


def test_a_shard_without_rows_takes_no_part() -> None:
    vectors = unit_rows(5, 2)
    empty = StoredRows(np.zeros((0, DIM), dtype=np.float16))
    matrix = MappedMatrix([empty, encode(vectors, "float16", "x"), empty], DIM)
    assert np.array_equal(matrix[np.array([4, 0])], vectors.astype(np.float16)[[4, 0]])


def test_a_training_set_that_does_not_fit_gives_the_same_batches(tmp_path: Path) -> None:
    material = make_material(tmp_path)
    merge(**material)
    path = material["folder"] / MANIFEST
    fits, streams = open_training_set(path), open_training_set(path, memory=0)
    assert isinstance(fits.vectors, np.ndarray)
    assert isinstance(streams.vectors, MappedMatrix)
    for one, other in zip(fits.batches(3, 8, range(5), "cpu"), streams.batches(3, 8, range(5), "cpu"), strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1].numpy(), other[1].numpy())
        assert np.array_equal(one[1].numpy(), fits.vectors[one[0]])
    drawn = streams.draw(stream(3, "samples", 2), 8)
    assert np.array_equal(drawn, next(fits.batches(3, 8, range(2, 3), "cpu"))[0])
