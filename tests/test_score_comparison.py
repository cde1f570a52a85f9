"""Runs beside each other and beside the retrieval baseline."""

from __future__ import annotations

import itertools

import pytest
from score_material import DOGS, dogs_are_right, many, noisy, pair, rows_of, score
from synthetic_results import embedder, manifest, predictions

from nounflow.errors import MismatchError
from nounflow.scoring.wording import comparison


def test_every_run_is_compared_with_every_run_and_the_matrix_is_antisymmetric() -> None:
    scores = score([noisy("a", 0.6), noisy("bb", 0.5), noisy("ccc", 0.1, "retrieval")], [DOGS])
    (one,) = scores.comparisons
    assert one.runs == ("a", "bb", "ccc")
    points = {row.run: row.prediction_score for row in scores.rows}
    for i, j in itertools.product(range(3), repeat=2):
        assert one.difference[i][j] == pytest.approx(points[one.runs[i]] - points[one.runs[j]])
        assert one.low[i][j] == -one.high[j][i]
        assert one.p[i][j] == one.p[j][i] <= one.p_holm[i][j]
    row = scores.rows[0]
    assert (row.difference_low, row.difference_high) == (one.low[0][2], one.high[0][2])
    assert row.difference_p == one.p[0][2] < 0.001


def test_the_difference_to_retrieval_has_the_sign_of_the_better_run() -> None:
    better = pair(set(range(40)), set(range(20)))["a"]
    assert better.difference_to_retrieval == pytest.approx(20 / 60)
    assert 0 < better.difference_low < better.difference_to_retrieval < better.difference_high
    assert better.retrieval_run == "r"
    assert "'a' (decoder) is better than 'r' (retrieval) (+33.3 points" in (comparison(better) or "")
    worse = pair(set(range(20)), set(range(40)))["a"]
    assert worse.difference_to_retrieval == pytest.approx(-20 / 60)
    assert "is worse than" in (comparison(worse) or "")


def test_pairing_makes_the_interval_narrower_than_two_apart() -> None:
    row = pair(set(range(30)), set(range(28)))["a"]
    apart = row.prediction_score_high - row.prediction_score_low
    assert row.difference_high - row.difference_low < apart / 2


def test_identical_answers_differ_by_exactly_nothing() -> None:
    row = pair({1, 2, 3}, {1, 2, 3})["a"]
    assert (row.difference_to_retrieval, row.difference_low, row.difference_high) == (0.0, 0.0, 0.0)
    assert "no difference shown" in (comparison(row) or "")


def test_without_a_retrieval_run_of_the_same_lexicon_and_embedder_there_is_no_difference() -> None:
    rows = pair({1}, {2}, embedder=embedder("another"))
    assert rows["a"].difference_to_retrieval is None
    assert comparison(rows["a"]) is None
    rows = pair({1}, {2}, lexicon="another")
    assert rows["a"].difference_to_retrieval is None
    rows = pair({1}, {2})
    assert rows["r"].difference_to_retrieval is None
    assert rows["r"].retrieval_run == ""


def test_of_several_retrieval_runs_the_first_by_name_is_the_baseline() -> None:
    documents = [
        predictions(run, many({1}), kind) for run, kind in (("a", "decoder"), ("q", "retrieval"), ("p", "retrieval"))
    ]
    manifests = [manifest("a"), manifest("q", "retrieval"), manifest("p", "retrieval")]
    rows = {row.run: row for row in rows_of(documents, manifests, [dogs_are_right(60)])}
    assert rows["a"].retrieval_run == "p"


def test_runs_on_different_images_are_not_compared() -> None:
    documents = [predictions("a", many({1})), predictions("r", many({1}, n=59), "retrieval")]
    with pytest.raises(MismatchError, match=r"different images of 'photos'.*'59\.png'"):
        rows_of(documents, [manifest("a"), manifest("r", "retrieval")], [dogs_are_right(60)])
