"""The score table for people: on the terminal, in Markdown, in LaTeX, in sentences."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from score_material import ANSWERS, DOGS, noisy, pair, printed, rows_of, score
from synthetic_results import annotations_of, manifest, predictions

from nounflow.schemas.annotations import PeopleAgreement
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.tables import Table, latex_table, markdown_table, published_rows, published_table, score_table
from nounflow.scoring.wording import comparison


def test_the_terminal_table_shows_every_row_in_percent() -> None:
    text = printed(list(pair(set(range(30)), set(range(15))).values()))
    assert "50.0 [" in text
    assert "25.0 [" in text


@pytest.mark.parametrize("width", [120, 200])
def test_a_narrow_terminal_loses_columns_and_no_figure(width: int) -> None:
    rows = list(pair(set(range(30)), set(range(15))).values())
    text = printed(rows, width)
    assert "…" not in text
    assert len([line for line in text.splitlines() if "wordnet" in line]) == len(rows)
    assert ("ceiling" in text) == (width == 200)


def test_the_terminal_table_shows_where_a_score_lies_that_is_not_wholly_judged() -> None:
    (row,) = rows_of([predictions("a", ANSWERS)], [manifest("a")])
    text = printed([row])
    assert re.search(rf"\] +{100 * row.score_if_unjudged_right:.1f} ", text)
    assert f" {100 * row.top1_correct:.1f}–{100 * row.top1_correct_if_unjudged_right:.1f} " in text


@pytest.mark.parametrize("written", [markdown_table, latex_table])
def test_a_table_holds_the_bound_of_a_score_that_is_not_wholly_judged(written: Callable[[Table], str]) -> None:
    half = annotations_of({"0.png": {"correct_primary": ["dog"], "incorrect": ["cat"]}})
    rows = score([noisy("a", 0.6, n=4)], [half]).rows
    assert f"at most {100 * rows[0].score_if_unjudged_right:.1f}" in written(score_table(rows))


def test_every_line_of_a_markdown_table_has_as_many_cells() -> None:
    text = markdown_table(score_table(score([noisy("a", 0.6), noisy("bb", 0.5)], [DOGS]).rows))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1


def test_a_name_is_escaped_in_latex() -> None:
    assert r"a\_b & decoder" in latex_table(score_table(score([noisy("a_b", 0.6)], [DOGS]).rows))


@pytest.mark.parametrize("written", [markdown_table, latex_table])
def test_published_scores_are_marked(written: Callable[[Table], str]) -> None:
    assert "published, not measured here" in written(published_table(published_rows()))


def test_published_scores_are_those_of_the_paper() -> None:
    largest = [row for row in published_rows() if row.model.endswith("378 FT0")]
    assert [row.prediction_score for row in largest] == pytest.approx([0.8827, 0.7918])
    assert [row.overall_score for row in largest] == pytest.approx([0.8790, 0.7821])


@pytest.fixture(scope="module")
def rows_of_two_judges() -> tuple[ScoreRow, ...]:
    """Two runs under a judge that was compared with people, "machine", and one that was not."""
    agreement = PeopleAgreement(
        people=("ann", "bob"), pairs=1120, share=0.8, kappa=0.714, kappa_coarse=None, kappa_voting=0.7,
        held_out=False, confusion={},
    )  # fmt: skip
    machine = DOGS.model_copy(update={"annotator": "machine", "agreement": agreement})
    return score([noisy("a", 0.6), noisy("bb", 0.5, "retrieval")], [DOGS, machine]).rows


def test_how_far_a_judge_agrees_with_people_is_in_every_row_that_it_judged(
    rows_of_two_judges: tuple[ScoreRow, ...],
) -> None:
    compared, alone = rows_of_two_judges[:2]  # sorted by name: machine, wordnet
    assert (alone.judge_kappa, alone.judge_kappa_coarse, alone.judge_pairs) == (None, None, None)
    assert (compared.judge_kappa, compared.judge_kappa_coarse, compared.judge_pairs) == (0.714, None, 1120)


def test_how_far_a_judge_agrees_with_people_stands_in_tables_and_sentences(
    rows_of_two_judges: tuple[ScoreRow, ...],
) -> None:
    words = "machine (κ 0.71 with people, 1,120 nouns)"
    assert words in markdown_table(score_table(rows_of_two_judges))
    assert words.replace("κ", r"$\kappa$") in latex_table(score_table(rows_of_two_judges))
    assert words in (comparison(rows_of_two_judges[0]) or "")


def test_how_far_a_judge_agrees_with_people_stands_on_the_terminal(rows_of_two_judges: tuple[ScoreRow, ...]) -> None:
    assert printed(rows_of_two_judges, 240).count("κ 0.71") == 2
