"""The score table: its bytes, its form in every output, and tables of other versions."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_material import pair, printed, varied

from nounflow.cli import main as nounflow_command
from nounflow.errors import DamagedFileError
from nounflow.report.score_tables import score_cells as report_cells
from nounflow.schemas.documents import read_document, write_document
from nounflow.scoring.results import Scores
from nounflow.scoring.rows import COLUMNS, ScoreRow, read_scores, write_scores
from nounflow.scoring.tables import latex_table, markdown_table, score_table

KEYS = ("run", "image_set", "annotator", "n")
FORMS = {"scores.md": markdown_table, "scores.tex": latex_table}


@pytest.fixture(scope="module")
def scores() -> Scores:
    return varied()


@pytest.fixture(scope="module")
def golden(repository: Path) -> Path:
    return repository / "tests/fixtures/scores"


def changed(path: Path, cells: list[dict[str, str]]) -> Path:
    """Write a table of cells, each row a dictionary."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(cells[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(cells)
    return path


def cells_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_table_of_known_results_keeps_its_bytes(scores: Scores, golden: Path, tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.tsv", scores.rows)
    assert (tmp_path / "scores.tsv").read_bytes() == (golden / "scores.tsv").read_bytes()


def test_the_details_hold_the_same_numbers_under_the_same_keys_in_the_same_order(
    scores: Scores, golden: Path, tmp_path: Path
) -> None:
    write_document(tmp_path / "scores.json", scores)
    document = json.loads((tmp_path / "scores.json").read_text())
    for row, cells in zip(document["rows"], cells_of(golden / "scores.tsv"), strict=True):
        assert list(row) == list(cells)
        for column, value in row.items():
            number = isinstance(value, float)
            assert (f"{value + 0.0:.6g}" if number else "" if value is None else str(value)) == cells[column]


@pytest.mark.parametrize("name", FORMS)
def test_markdown_and_latex_keep_their_bytes(scores: Scores, golden: Path, name: str) -> None:
    assert FORMS[name](score_table(scores.rows)) == (golden / name).read_text()


@pytest.mark.parametrize("width", [120, 200])
def test_the_terminal_table_keeps_its_form(scores: Scores, golden: Path, width: int) -> None:
    assert printed(scores.rows, width) == (golden / f"terminal_{width}.txt").read_text()


WITH_A_MEASURE = """
import sys
from nounflow.scoring.measures import measure

@measure("longest", "count", "Letters of the longest noun")
def longest_noun(evaluation, run):
    return max(len(noun) for nouns in evaluation.judged[run].nouns for noun in nouns)

from pathlib import Path
from score_material import varied
from nounflow.report.score_tables import COLUMNS, score_cells
from nounflow.scoring.tables import latex_table, markdown_table
from nounflow.scoring.rows import read_scores, write_scores
from nounflow.scoring.tables import score_table
from nounflow.scoring.terminal import terminal_table

path = Path(sys.argv[1])
write_scores(path, varied().rows)
rows = read_scores(path)
assert [row.longest_noun for row in rows] == [5, *[6] * 6]
assert "longest_noun" in varied().rows[0].model_dump()
for table in (markdown_table(score_table(rows)), latex_table(score_table(rows))):
    assert "longest" in table
assert "longest" in [column.header for column in terminal_table(rows).columns]
assert COLUMNS[-1] == ("Longest", "Letters of the longest noun")
assert score_cells(rows[1])[-1] == ("6", "")
"""


def test_an_entry_is_all_that_a_new_measure_takes(repository: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_MEASURE, str(tmp_path / "scores.tsv")],
        env=os.environ | {"PYTHONPATH": f"{repository}:{repository / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_table_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    rows = list(pair({1, 2, 3}, {3, 4}).values())
    write_scores(tmp_path / "scores.tsv", rows)
    lines = (tmp_path / "scores.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert lines[1].split("\t")[COLUMNS.index("prediction_score")] == "0.05"
    for read, row in zip(read_scores(tmp_path / "scores.tsv"), rows, strict=True):
        for column in COLUMNS:
            value = getattr(row, column)
            assert getattr(read, column) == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(sorted(set(COLUMNS) - set(KEYS)))))
def test_a_table_with_fewer_columns_is_read_and_shown(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, dropped: set[str]
) -> None:
    whole = repository / "tests/fixtures/scores/scores.tsv"
    cells = [{column: cell for column, cell in row.items() if column not in dropped} for row in cells_of(whole)]
    read = read_scores(changed(tmp_path_factory.mktemp("fewer") / "scores.tsv", cells))
    empty = ScoreRow(run="", image_set="", annotator="", n=0)
    for row, known in zip(read, read_scores(whole), strict=True):
        for column in COLUMNS:
            assert getattr(row, column) == getattr(empty if column in dropped else known, column)
    assert everything_shown(read)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.from_regex(r"new_[a-z]{1,8}", fullmatch=True), st.sampled_from(["", "0.5", "7", "a word"])))
def test_a_table_with_further_columns_is_read_and_keeps_them(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, further: dict[str, str]
) -> None:
    whole = repository / "tests/fixtures/scores/scores.tsv"
    cells = [further | row for row in cells_of(whole)]
    read = read_scores(changed(tmp_path_factory.mktemp("more") / "scores.tsv", cells))
    values = {"": None, "0.5": 0.5, "7": 7, "a word": "a word"}
    for row, known in zip(read, read_scores(whole), strict=True):
        assert row.model_dump() == known.model_dump() | {column: values[cell] for column, cell in further.items()}
    assert everything_shown(read)


def everything_shown(rows: list[ScoreRow]) -> list[object]:
    return [printed(rows, 200), *(form(score_table(rows)) for form in FORMS.values()), *map(report_cells, rows)]


@pytest.mark.parametrize("key", KEYS)
def test_a_table_without_a_key_column_is_refused_with_its_name(golden: Path, tmp_path: Path, key: str) -> None:
    cells = [{column: cell for column, cell in row.items() if column != key} for row in cells_of(golden / "scores.tsv")]
    path = changed(tmp_path / "scores.tsv", cells)
    with pytest.raises(DamagedFileError, match=f"lacks the column {key}") as caught:
        read_scores(path)
    assert caught.value.where == str(path)


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.tsv").write_text("run\tscore\na\t1\n")
    with pytest.raises(DamagedFileError, match="lacks the columns image_set, annotator"):
        read_scores(tmp_path / "scores.tsv")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("prediction_score", "high", "prediction_score: 'high' is no number"),
        ("n", "", "n: Input should be a valid integer"),
        ("judge_kappa", "?", "judge_kappa: Input should be a valid number"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_column(
    golden: Path, tmp_path: Path, column: str, cell: str, message: str
) -> None:
    path = changed(tmp_path / "scores.tsv", [row | {column: cell} for row in cells_of(golden / "scores.tsv")])
    with pytest.raises(DamagedFileError, match=re.escape(message)):
        read_scores(path)


@pytest.mark.parametrize("change", [lambda line: line + "\tmore", lambda line: line.rpartition("\t")[0]])
def test_a_line_with_more_or_fewer_cells_is_refused_with_its_number(
    golden: Path, tmp_path: Path, change: Callable[[str], str]
) -> None:
    lines = (golden / "scores.tsv").read_text().splitlines()
    lines[2] = change(lines[2])
    (tmp_path / "scores.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DamagedFileError, match="Line 3 of the score table"):
        read_scores(tmp_path / "scores.tsv")


def test_details_of_another_version_are_read_and_compared(
    scores: Scores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(scores.model_dump_json())
    for row in document["rows"]:
        del row["synonym_score"], row["ceiling"]
        row["new_score"] = 0.5
    document["rows"][0]["new_words"] = ["a", "b"]
    document["details"][0]["new_curve"] = [1, 2]
    (tmp_path / "scores.json").write_text(json.dumps(document))
    read = read_document(Scores, tmp_path / "scores.json", "score file")
    assert read.rows[0].synonym_score is None
    assert read.rows[0].new_score == 0.5
    nounflow_command(["scores", str(tmp_path / "scores.tsv"), "--against", "near", "--format", "json"])
    assert {row["run"] for row in json.loads(capsys.readouterr().out)} == {"a_b", "fused"}
    del document["rows"][3]["image_set"]
    (tmp_path / "scores.json").write_text(json.dumps(document))
    with pytest.raises(DamagedFileError, match=r"rows\.3\.image_set: Field required"):
        read_document(Scores, tmp_path / "scores.json", "score file")
