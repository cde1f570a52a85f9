"""Rows of the score table: points, coverage, bounds, ceiling, kinds, diversity, digests."""

from __future__ import annotations

import pytest
from score_material import ANSWERS, noisy, rows_of, score
from synthetic_results import NOUNS, annotations_of, manifest, predictions

from nounflow.errors import NounflowError
from nounflow.schemas.labels import Labels
from nounflow.scoring.answers import judgements


def test_points_agree_with_a_table_worked_by_hand() -> None:
    (row,) = rows_of([predictions("a", ANSWERS, unreadable={"7.png": "the file is empty"})], [manifest("a")])
    assert row.n == 7
    assert row.unreadable == 1
    assert row.prediction_score == pytest.approx((1 + 0.8 + 0.5 + 0.4 + 0 + 0 + 0) / 7)
    assert row.primary_score == pytest.approx((1 + 0.5) / 7)
    assert row.top1_correct == pytest.approx(2 / 7)
    assert row.top5_correct == pytest.approx(3 / 7)  # the third image's second noun is right
    assert row.distinct_nouns == 6
    assert row.coverage == pytest.approx(5 / 6)  # of the six images that have an answer
    assert row.score_if_unjudged_right == pytest.approx((1 + 0.8 + 0.5 + 0.4 + 1) / 7)
    assert (row.run, row.predictor, row.lexicon, row.embedder) == ("a", "decoder", "tiny", "bundled:minilm-conse")


def test_an_unreadable_image_lowers_the_score_as_a_wrong_answer_does() -> None:
    good = {"1.png": ["dog"]}
    (whole,) = rows_of([predictions("a", good)], [manifest("a")])
    (short,) = rows_of([predictions("a", good, unreadable={"broken.png": "broken"})], [manifest("a")])
    assert (whole.prediction_score, short.prediction_score) == (1.0, 0.5)
    assert short.coverage == 1.0
    assert short.score_if_unjudged_right == 0.5


def test_a_sixth_noun_does_not_count_for_top5() -> None:
    nouns = ["cat", "apple", "mouse", "sheep", "goose", "dog"]
    (row,) = rows_of([predictions("a", {"1.png": nouns})], [manifest("a")])
    assert row.top5_correct == 0.0


def test_a_noun_in_two_categories_is_an_error_that_names_image_and_noun() -> None:
    with pytest.raises(NounflowError, match=r"'dog'.*correct_primary and incorrect.*'1\.png'"):
        judgements(annotations_of({"1.png": {"correct_primary": ["dog"], "incorrect": ["dog"]}}))


def test_an_unjudged_image_set_has_empty_scores_and_no_coverage() -> None:
    for judged in ([], [annotations_of({"1.png": {}})]):
        (row,) = rows_of([predictions("a", ANSWERS)], [manifest("a")], judged)
        assert (row.coverage, row.n, row.distinct_nouns) == (0.0, 6, 6)
        assert row.prediction_score is row.primary_score is row.top1_correct is None
        assert row.prediction_score_low is row.score_if_unjudged_right is None


def test_the_ceiling_counts_gold_and_accepted_nouns_in_any_form_and_spelling() -> None:
    labels = {
        "1.png": Labels(gold="Geese"),  # a plural form
        "2.png": Labels(gold="wombat", accepted=("X Ray",)),  # another spelling of an accepted noun
        "3.png": Labels(gold="wombat", secondary=("dog",)),  # a side element does not count
        "not_predicted.png": Labels(gold="wombat"),
    }
    (row,) = rows_of([predictions("a", ANSWERS)], [manifest("a")], labels=labels)
    assert row.ceiling == pytest.approx(2 / 3)
    (row,) = rows_of([predictions("a", ANSWERS)], [manifest("a")])
    assert row.ceiling is None


def test_kinds_and_bands_share_out_the_labelled_images() -> None:
    labels = {"1.png": Labels(gold="dog"), "2.png": Labels(gold="teapots"), "3.png": Labels(gold="wombat")}
    judged = annotations_of({f"{i}.png": {"correct_primary": ["dog"]} for i in (1, 2, 3)})
    scores = score([predictions("a", {f"{i}.png": ["dog"] for i in (1, 2, 3, 4)})], [judged], labels)
    (one,) = scores.details
    assert one.parts_by == "label"
    assert {part.name: part.n for part in one.kinds} == {"animal": 1, "artifact": 1, "unknown": 1}
    assert {part.name: part.n for part in one.bands} == {"1 to 10": 2, "in no lexicon": 1}
    (unlabelled,) = score([predictions("a", {"1.png": ["dog"], "2.png": ["teapot"]})], [judged]).details
    assert unlabelled.parts_by == "noun"
    assert {part.name: part.n for part in unlabelled.kinds} == {"animal": 1, "artifact": 1}


def test_as_many_effective_nouns_as_equally_frequent_ones() -> None:
    document = predictions("a", {f"{i}.png": [NOUNS[i % 4]] for i in range(12)})
    (row,) = score([document], []).rows
    assert row.effective_nouns == pytest.approx(4)
    assert row.top_noun_share == 0.25


def test_digests_tell_settings_and_splits_apart() -> None:
    first = score([noisy("a", 0.5)], []).rows[0]
    assert first == score([noisy("a", 0.5)], []).rows[0]
    labelled = score([noisy("a", 0.5)], [], {"1.png": Labels(gold="dog")}).rows[0]
    assert labelled.split != first.split
    assert labelled.config == first.config
    fewer = score([noisy("a", 0.5, n=199)], []).rows[0]
    assert fewer.split not in (first.split, labelled.split)
    others = noisy("a", 0.5).model_copy(update={"images": "of other bytes under the same names"})
    assert score([others], []).rows[0].split not in (first.split, labelled.split, fewer.split)


def test_rows_are_sorted_and_independent_of_the_order_of_files() -> None:
    documents = [predictions(run, ANSWERS, image_set=image_set) for run in "ba" for image_set in ("y", "x")]
    judged = [
        annotations_of({"1.png": {"correct_primary": ["dog"]}}, image_set=image_set, annotator=annotator)
        for annotator in ("w", "v")
        for image_set in ("x", "y")
    ]
    manifests = [manifest("a"), manifest("b")]
    rows = rows_of(documents, manifests, judged)
    keys = [(row.run, row.image_set, row.annotator) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == 8
    assert rows_of(documents[::-1], manifests, judged[::-1]) == rows
