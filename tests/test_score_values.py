"""Points of single images: weights by hand, arrays against loops, the published rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_results import annotations_of, predictions

from nounflow.scoring.answers import POINTS, JudgedAnswers, judge, judgements
from nounflow.scoring.tables import PublishedRow, published_rows
from nounflow.scoring.values import TopK, correct_values, overall_values, prediction_values, primary_values, top_k

# category of a first noun -> prediction, primary, right, prediction if unjudged nouns were right
TRUTH = {
    "correct_primary": (1.0, 1.0, 1.0, 1.0),
    "correct_secondary": (0.8, 0.0, 1.0, 0.8),
    "close_primary": (0.5, 0.5, 0.0, 0.5),
    "close_secondary": (0.4, 0.0, 0.0, 0.4),
    "incorrect": (0.0, 0.0, 0.0, 0.0),
    None: (0.0, 0.0, 0.0, 1.0),
}


def judged_as(categories: Sequence[str | None]) -> JudgedAnswers:
    """Answers n0, n1, ... to one image, judged so."""
    lists: dict[str, list[str]] = {}
    for i, category in enumerate(categories):
        if category:
            lists.setdefault(category, []).append(f"n{i}")
    document = predictions("a", {"1.png": [f"n{i}" for i in range(len(categories))]})
    return judge(document, judgements(annotations_of({"1.png": lists})))


@pytest.mark.parametrize("category", TRUTH)
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_every_weight_is_that_of_the_table_worked_by_hand(category: str | None, factor: float) -> None:
    judged = judged_as([category])
    prediction, primary, right, bound = TRUTH[category]
    assert np.concatenate(prediction_values(judged)).tolist() == [prediction, bound]
    assert primary_values(judged).worst == primary
    assert correct_values(judged, 1).worst == right
    overall = np.concatenate(overall_values(judged, np.array([factor])))
    assert overall.tolist() == [prediction * factor, bound * factor]


@pytest.mark.parametrize("pair", list(itertools.product(TRUTH, repeat=2)))
def test_the_top_k_score_takes_the_better_of_every_pair_of_categories(pair: tuple[str | None, str | None]) -> None:
    judged = judged_as(pair)
    expected = max(TRUTH[category][0] for category in pair)
    assert prediction_values(judged, 3).worst == expected
    bound = max(TRUTH[category][3] for category in pair)
    assert top_k(judged)[1] == TopK(2, expected, max(TRUTH[category][2] for category in pair), bound)
    assert top_k(judged)[0].score == TRUTH[pair[0]][0]


CATEGORY = st.sampled_from([*POINTS, None])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(CATEGORY, min_size=0, max_size=7), min_size=1, max_size=12), st.data())
def test_the_arrays_agree_with_plain_loops(images: list[list[str | None]], data: st.DataObject) -> None:
    answered = {f"{i}.png": [f"n{k}" for k in range(len(image))] for i, image in enumerate(images) if image}
    unreadable = {f"{i}.png": "broken" for i, image in enumerate(images) if not image}
    lists: dict[str, dict[str, list[str]]] = {f"{i}.png": {} for i in range(len(images))}
    for i, image in enumerate(images):
        for k, category in enumerate(image):
            if category:
                lists[f"{i}.png"].setdefault(category, []).append(f"n{k}")
    judged = judge(predictions("a", answered, unreadable=unreadable), judgements(annotations_of(lists)))
    factors = np.array(data.draw(st.lists(st.sampled_from([0.5, 1.0]), min_size=len(images), max_size=len(images))))
    weight = {name: row[0] for name, row in TRUTH.items()}
    for k in (1, 3, 5):
        total = 0.0
        for file in judged.images:
            total += max((weight[category] for category in images[int(file[:-4])][:k]), default=0.0)
        assert prediction_values(judged, k).worst.mean() == pytest.approx(total / len(images))
    overall = 0.0
    for file, factor in zip(judged.images, factors, strict=True):
        image = images[int(file[:-4])]
        overall += weight[image[0]] * factor if image else 0.0
    assert overall_values(judged, factors).worst.mean() == pytest.approx(overall / len(images))
    right = sum(any(c in ("correct_primary", "correct_secondary") for c in image[:5]) for image in images)
    assert correct_values(judged, 5).worst.mean() == pytest.approx(right / len(images))
    for worst, best in (primary_values(judged), correct_values(judged, 1), prediction_values(judged, 5)):
        assert (worst <= best).all()


def counts_of(row: PublishedRow, n: int) -> tuple[list[int], tuple[int, ...]]:
    """Images of each category, and which of them have a coarse noun, that come to a published row.

    Points are tenths: 10, 8, 5, 4. Primary ones make up the primary score, secondary ones the rest of the prediction
    score, and half the points of coarse nouns are what the overall score lacks.
    """
    primary = 5 * round(row.primary_score * 10 * n / 5)
    secondary = 4 * round((row.prediction_score - row.primary_score) * 10 * n / 4)
    close = 2 + primary % 10 // 5
    counts = [(primary - 5 * close) // 10, secondary // 8, close, secondary % 8 // 4]
    lacking = 2 * round((primary + secondary) - row.overall_score * 10 * n + 1e-9, 1)
    for coarse in itertools.product(*(range(min(one, 5) + 1) for one in counts[1:])):
        first, odd = divmod(round(lacking) - sum(map(math.prod, zip(coarse, (8, 5, 4), strict=True))), 10)
        if odd == 0 and 0 <= first <= counts[0]:
            return counts, (first, *coarse)
    raise AssertionError(row)


@pytest.mark.parametrize("row", published_rows(), ids=lambda row: f"{row.image_set} {row.model}")
def test_every_published_row_is_what_whole_numbers_of_images_come_to(row: PublishedRow) -> None:
    n = {"World-H": 272, "Wiki-H": 1000}[row.image_set]
    counts, vague = counts_of(row, n)
    counts, coarse = [*counts, n - sum(counts)], [*vague, 0]
    said = [(name, i < few) for name, many, few in zip(POINTS, counts, coarse, strict=True) for i in range(many)]
    lists = {f"{i:04}.png": {name: ["noun"]} for i, (name, _) in enumerate(said)}
    factors = [0.5 if less else 1.0 for _, less in said]
    judged = judge(predictions("a", {file: ["noun"] for file in lists}), judgements(annotations_of(lists)))
    for values, expected in (
        (primary_values(judged), row.primary_score),
        (prediction_values(judged), row.prediction_score),
        (overall_values(judged, np.array(factors)), row.overall_score),
    ):
        # Published with two decimals of percent, rounded from three.
        assert 100 * values.worst.mean() == pytest.approx(100 * expected, abs=0.0055)
