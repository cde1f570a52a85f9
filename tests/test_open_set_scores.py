"""Open-set scores against golden values, and where they break down."""

from __future__ import annotations

import numpy as np
import pytest

from nounflow.open_set.scores import Evidence, atd, atd_accepts, ctw, ctw_accepts, group_starts, yes_probability
from nounflow.open_set_scores import SCORES
from nounflow.registry import resolve

GOLDEN = {
    "msp": 0.880762, "maxlogit": 30.0, "energy": 30.126968, "mcm": 0.346616, "ctw": 0.993307, "atd": 0.906925,
}  # fmt: skip


def one_image() -> Evidence:
    return Evidence(
        known=np.array([[0.30, 0.28, 0.20]], np.float32),
        temperature=0.01,
        no=np.array([[0.25, 0.29, 0.24]], np.float32),
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_scores_have_their_golden_values(name: str) -> None:
    assert resolve(SCORES[name].function)(one_image()) == pytest.approx([GOLDEN[name]], abs=1e-5)


def test_the_golden_image_is_accepted_by_all_rules() -> None:
    assert yes_probability(one_image()) == pytest.approx(np.array([[0.993307, 0.268941, 0.017986]]), abs=1e-5)
    assert ctw_accepts(one_image())
    assert atd_accepts(one_image())
    assert atd_accepts(one_image(), "paper")


def agreeing(probabilities: list[float], yes: float) -> Evidence:
    """Nouns of these probabilities, each with the same yes-probability."""
    known = 0.01 * np.log(np.array([probabilities]))
    return Evidence(known, 0.01, known - 0.01 * np.log(yes / (1 - yes)))


@pytest.mark.parametrize(
    ("probabilities", "yes", "paper", "joint", "competing"),
    [
        ([0.40, 0.35, 0.25], 0.55, False, False, True),
        ([0.40, 0.35, 0.25], 0.62, True, False, True),
        ([0.40, 0.35, 0.25], 0.70, True, False, True),
        ([0.40, 0.35, 0.25], 0.80, True, True, True),
        ([1.0], 0.01, True, False, False),
        ([1.0], 0.51, True, True, True),
    ],
)
def test_decisions_without_a_threshold(
    probabilities: list[float], yes: float, paper: bool, joint: bool, competing: bool
) -> None:
    evidence = agreeing(probabilities, yes)
    found = [atd_accepts(evidence, "paper"), atd_accepts(evidence), ctw_accepts(evidence)]
    assert [bool(accepted) for accepted in found] == [paper, joint, competing]


def with_negatives(groups: int, kept: list[bool] | None = None) -> Evidence:
    known, negatives = np.eye(3, 4, dtype=np.float32)[:2], np.eye(4, dtype=np.float32)[2:]
    images = np.array([[0.6, 0.0, 0.6, 0.52915], [0.6, 0.6, 0.52915, 0.0]], np.float32)
    return Evidence(
        images @ known.T,
        0.1,
        negatives=images @ negatives.T,
        groups=groups,
        kept=None if kept is None else np.array(kept),
        between=lambda a, b: np.einsum("nad,nbd->nab", known[a], negatives[b]),
    )


def test_neglabel_is_the_mean_over_groups_of_the_share_of_known_nouns() -> None:
    e = np.exp
    one = np.array([(e(6) + 1) / (e(6) + 1 + e(6) + e(5.2915)), 2 * e(6) / (2 * e(6) + e(5.2915) + 1)])
    assert resolve(SCORES["neglabel"].function)(with_negatives(1)) == pytest.approx(one, rel=1e-5)
    two = (e(6) + 1) / 2 * (1 / (2 * e(6) + 1) + 1 / (e(6) + 1 + e(5.2915)))
    assert resolve(SCORES["neglabel"].function)(with_negatives(2))[0] == pytest.approx(two, rel=1e-5)


def test_negrefine_leaves_negatives_out_and_adds_the_best_pair() -> None:
    e = np.exp
    share = (e(6) + 1) / (e(6) + 1 + e(6))
    pair = 1 / (1 + e(-(1.2 / np.sqrt(2) - 0.6) / 0.1))  # of the first known noun and the negative that is kept
    found = resolve(SCORES["negrefine"].function)(with_negatives(1, [True, False]))
    assert found[0] == pytest.approx(share + 2 * pair, rel=1e-5)
    all_out = resolve(SCORES["negrefine"].function)(with_negatives(1, [False, False]))
    assert all_out == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("name", SCORES)
def test_no_image_changes_the_score_of_another(name: str) -> None:
    rng = np.random.default_rng(0)
    known, negatives = rng.normal(size=(7, 16)).astype(np.float32), rng.normal(size=(31, 16)).astype(np.float32)
    images = rng.normal(size=(9, 16)).astype(np.float32) / 16

    def score(rows: np.ndarray) -> np.ndarray:
        between = lambda a, b: np.einsum("nad,nbd->nab", known[a], negatives[b]) / 16  # noqa: E731
        evidence = Evidence(rows @ known.T, 0.05, rows @ known[::-1].T, rows @ negatives.T, 4, None, between)
        return np.asarray(resolve(SCORES[name].function)(evidence))

    apart = np.concatenate([score(images[i : i + 1]) for i in range(len(images))])
    assert score(images) == pytest.approx(apart, rel=1e-5)
    assert score(images[::-1]) == pytest.approx(apart[::-1], rel=1e-5)


def test_groups_are_never_empty() -> None:
    assert group_starts(10, 4).tolist() == [0, 2, 5, 7]
    assert group_starts(2, 5).tolist() == [0, 1]


def test_the_yes_side_is_untouched_by_a_no_model() -> None:
    """At the start no = yes: 0.5 for each noun, and the order of nouns is that of the cosines, as ever."""
    known = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    evidence = Evidence(known, 0.01, known)
    assert np.all(yes_probability(evidence) == 0.5)
    assert np.all(ctw(evidence) == 0.5)
    assert atd(evidence) == pytest.approx(np.full(5, 0.5))
