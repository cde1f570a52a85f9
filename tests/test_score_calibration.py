"""Calibration error, its interval, and risk against coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nounflow.scoring.calibration import calibration, calibration_interval, risk_coverage
from nounflow.streams import stream


def test_the_calibration_error_of_an_example_worked_by_hand() -> None:
    probability = np.array([0.95, 0.97, 0.94, 0.2])
    error, bins = calibration(probability, np.array([True, False, True, False]))
    by_hand = (3 * abs((0.95 + 0.97 + 0.94) / 3 - 2 / 3) + 1 * 0.2) / 4
    assert error == pytest.approx(by_hand)
    assert [held.n for held in bins] == [1, 3]
    assert calibration(np.array([1.0, 1.0]), np.array([True, True]))[0] == 0.0


@pytest.mark.parametrize("over", [0.0, 0.1, 0.3])
def test_the_interval_of_the_calibration_error_holds_the_true_one(over: float) -> None:
    rng = np.random.default_rng(5)
    found = []
    for i in range(60):
        claimed = rng.uniform(0.35, 1.0, size=400)
        right = rng.random(400) < claimed - over
        found.append(calibration_interval(claimed, right, stream(i, "ece"), draws=500))
    assert all(0 <= low <= high <= 1 for low, high in found)
    if over:
        assert sum(low <= over <= high for low, high in found) >= 53  # 95 % of 60 are 57
    else:  # the error of a run that is right about itself is 0.05 here, by chance
        assert np.mean([low for low, _ in found]) < 0.01


def test_the_interval_of_the_calibration_error_agrees_with_drawing_images() -> None:
    rng = np.random.default_rng(6)
    claimed = rng.beta(2, 1, size=300)
    right = rng.random(300) < 0.5
    error = calibration(claimed, right)[0]
    drawn = rng.integers(0, 300, size=(2000, 300))
    low, high = np.quantile([calibration(claimed[one], right[one])[0] for one in drawn], [0.025, 0.975])
    found = calibration_interval(claimed, right, stream(1, "ece"))
    assert found == pytest.approx((2 * error - high, 2 * error - low), abs=0.006)


def test_risk_falls_with_certainty_and_ends_at_the_share_of_errors() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6])
    found = risk_coverage(probability, np.array([True, True, False, False]))
    assert found.coverage[-1] == 1.0
    assert found.risk[-1] == 0.5
    assert found.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


@given(st.permutations([True, True, False, False, True]))
def test_images_of_one_probability_are_in_no_order(correct: list[bool]) -> None:
    found = risk_coverage(np.full(5, 0.5), np.array(correct))
    assert found.risk == pytest.approx([0.4] * len(found.risk))
