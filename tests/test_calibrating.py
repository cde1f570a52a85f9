"""Probabilities fitted to labelled images."""

from __future__ import annotations

import numpy as np

from nounflow.predictors.calibrating import calibrated, fit_calibration
from nounflow.scoring.calibration import calibration


def overconfident(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates whose probabilities were raised to a power of 3, and which are right as the flat ones say."""
    rng = np.random.default_rng(5)
    true = rng.dirichlet(np.full(6, 0.6), size=n)
    true = -np.sort(-true, axis=1)
    right = np.arange(6) == np.array([rng.choice(6, p=row) for row in true])[:, None]
    sharp = true**3 / (true**3).sum(axis=1, keepdims=True)
    return sharp[:, :5], right[:, :5]


def test_overconfident_probabilities_become_shares_of_right_answers() -> None:
    probabilities, right = overconfident(1500)
    fitted = fit_calibration(probabilities, right)
    before, _ = calibration(probabilities[:, 0], right[:, 0])
    after, _ = calibration(fitted.first, right[:, 0])
    assert before > 0.15
    assert after < 0.06
    assert 0.2 < fitted.rule.weights[0] < 0.6  # the power of 3 is taken back


def test_the_order_stays_and_empty_places_stay_empty() -> None:
    probabilities, right = overconfident(200)
    probabilities[:, 4] = 0.0
    rule = fit_calibration(probabilities, right).rule
    found = calibrated(probabilities, rule.weights[0], rule.none)
    assert (np.diff(found[:, :4], axis=1) <= 1e-12).all()
    assert not found[:, 4].any()
    assert (found.sum(axis=1) <= 1).all()


def test_where_nothing_is_ever_right_probabilities_go_down() -> None:
    probabilities, right = overconfident(200)
    fitted = fit_calibration(probabilities, np.zeros_like(right))
    assert fitted.first.mean() < 0.05
