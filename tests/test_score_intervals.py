"""Bootstrap intervals and p-values, against scipy and examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nounflow.scoring.intervals import holm, mean_estimate, mean_interval
from nounflow.streams import stream


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_agrees_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([0.0, 0.4, 0.5, 0.8, 1.0], size=300, p=[0.6, 0.05, 0.1, 0.05, 0.2])
    oracle = stats.bootstrap((values,), np.mean, n_resamples=9999, method="BCa", rng=rng).confidence_interval
    assert mean_interval(values, stream(seed, "test")) == pytest.approx((oracle.low, oracle.high), abs=0.004)


def test_the_paired_interval_agrees_with_scipy() -> None:
    rng = np.random.default_rng(5)
    ours = rng.choice([0.0, 0.5, 1.0], size=250)
    theirs = np.where(rng.random(250) < 0.8, ours, rng.choice([0.0, 0.5, 1.0], size=250))
    oracle = stats.bootstrap(
        (ours, theirs), lambda a, b: np.mean(a) - np.mean(b), paired=True, vectorized=False, n_resamples=4999, rng=rng
    ).confidence_interval
    assert mean_interval(ours - theirs, stream(1, "test")) == pytest.approx((oracle.low, oracle.high), abs=0.006)


def test_the_interval_of_many_distinct_values_agrees_with_scipy() -> None:
    rng = np.random.default_rng(2)
    values = rng.beta(0.5, 0.7, size=3000)
    oracle = stats.bootstrap((values,), np.mean, n_resamples=4999, rng=rng).confidence_interval
    assert mean_interval(values, stream(1, "continuous")) == pytest.approx((oracle.low, oracle.high), abs=0.002)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.4, 0.5, 0.8, 1.0]), min_size=1, max_size=60))
def test_an_interval_holds_the_mean_and_stays_within_the_values(values: list[float]) -> None:
    low, high = mean_interval(values, stream(1, "property"), draws=2000)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert low - 1e-9 <= np.mean(values) <= high + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=5, max_size=80))
def test_a_p_value_is_below_5_percent_only_if_the_interval_leaves_out_0(values: list[float]) -> None:
    low, high, p = mean_estimate(values, stream(1, "p"), draws=2000)
    assert 0 < p <= 1
    if p < 0.048:
        assert low > 0 or high < 0
    if low > 0.001 or high < -0.001:
        assert p < 0.055


def test_p_values_of_runs_that_do_not_differ_are_spread_evenly() -> None:
    rng = np.random.default_rng(3)
    found = [mean_estimate(rng.choice([-1.0, 0.0, 1.0], size=300), stream(i, "null"), draws=1000).p for i in range(300)]
    assert stats.kstest(found, "uniform").pvalue > 0.001
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


def test_holm_agrees_with_the_example_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
