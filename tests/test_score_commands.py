"""`nounflow scores` and `nounflow reproduce`."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from score_material import made_by_workflow

from nounflow.cli import main as nounflow_command
from nounflow.errors import NounflowError
from nounflow.schemas.documents import write_document
from nounflow.scoring.provenance import find_row, provenance, reproduction
from nounflow.scoring.results import Provenance, Scores
from nounflow.scoring.rows import ScoreRow, write_scores


def reproduced(scores: Scores, row: ScoreRow) -> tuple[str, dict[str, Any]]:
    """The printed script and the config in it."""
    text = reproduction(scores, row)
    return text, json.loads(text.split("<<'END'\n")[1].split("\nEND\n")[0])


def test_reproduce_prints_the_commit_and_the_command() -> None:
    scores = made_by_workflow()
    text = reproduction(scores, scores.rows[0])
    assert "git checkout 0123abc" in text
    assert text.endswith("snakemake --cores all --configfile reproduce.yaml -- results/scores.tsv")


def test_the_printed_config_leaves_out_what_a_row_does_not_need() -> None:
    scores = made_by_workflow()
    _, config = reproduced(scores, find_row(scores, "a"))
    assert config["runs"] == {"a": {"seed": 1}, "bb": None, "ccc": {}}  # ccc: the retrieval run it is held against
    assert config["image_sets"] == {"photos": {}, "more": None}


def test_the_printed_config_keeps_the_parts_of_a_fused_run() -> None:
    scores = made_by_workflow()
    runs = {"a": {"lexicon": "d", "fused": {"parts": ["bb"]}}, "bb": {}, "ccc": {}, "d": {}}
    origin = Provenance(nounflow="0.1.0", config={"runs": runs})
    _, config = reproduced(scores.model_copy(update={"provenance": origin}), scores.rows[0])
    assert config["runs"]["bb"] == {}
    assert config["runs"]["d"] is None  # a lexicon of that name is no run


def test_a_row_is_found_by_number_or_by_the_beginning_of_its_name() -> None:
    scores = made_by_workflow()
    assert find_row(scores, "2").run == find_row(scores, "bb/photos/wordnet").run == "bb"
    with pytest.raises(NounflowError, match="No row is called 'b'"):
        find_row(scores, "b")
    with pytest.raises(NounflowError, match="No row is called '²'"):
        find_row(scores, "²")


def test_a_table_that_was_scored_by_hand_cannot_be_reproduced() -> None:
    scores = made_by_workflow().model_copy(update={"provenance": None})
    with pytest.raises(NounflowError, match="do not say which config"):
        reproduction(scores, scores.rows[0])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Path of a score table, its details beside it."""
    scores = made_by_workflow()
    write_scores(tmp_path / "scores.tsv", scores.rows)
    write_document(tmp_path / "scores.json", scores)
    return tmp_path / "scores.tsv"


@pytest.fixture
def said(table: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What `nounflow scores` prints of the table."""

    def said(*arguments: str) -> str:
        nounflow_command(["scores", str(table), *arguments])
        return capsys.readouterr().out

    return said


def test_the_table_is_printed_as_it_is(said: Callable[..., str], table: Path) -> None:
    assert said("--format", "tsv") == table.read_text()
    assert json.loads(said("--format", "json"))["comparisons"][0]["runs"] == ["a", "bb", "ccc"]


def test_the_table_is_printed_for_people(said: Callable[..., str]) -> None:
    assert "decoder" in said()
    assert "| a | decoder |" in said("--format", "markdown")
    assert r"\toprule" in said("--format", "latex")


def test_differences_to_one_run_are_printed_for_people(said: Callable[..., str]) -> None:
    assert "minus bb" in said("--against", "bb")
    assert "| a | photos | wordnet |" in said("--against", "bb", "--format", "markdown")
    assert r"minus bb & p & p (Holm) \\" in said("--against", "bb", "--format", "latex")


def test_differences_to_one_run_are_printed_for_programs(said: Callable[..., str]) -> None:
    rows = list(csv.DictReader(said("--against", "bb", "--format", "tsv").splitlines(), delimiter="\t"))
    also = json.loads(said("--against", "bb", "--format", "json"))
    assert [row["run"] for row in rows] == [row["run"] for row in also] == ["a", "ccc"]
    (one,) = made_by_workflow().comparisons
    for row, other, i in zip(rows, also, (0, 2), strict=True):
        for column in ("difference", "low", "high", "p", "p_holm"):
            assert float(row[column]) == pytest.approx(getattr(one, column)[i][1], rel=1e-5)
            assert other[column] == getattr(one, column)[i][1]


def test_a_run_that_was_not_scored_is_answered_with_those_that_were(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        nounflow_command(["scores", str(table), "--against", "nobody"])
    assert "take one of a, bb, ccc" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        nounflow_command(["scores", str(table), "--against", "bb", "--measures", "hP"])
    assert "Differences are of the score alone" in capsys.readouterr().err


def test_published_scores_are_printed_and_marked(said: Callable[..., str]) -> None:
    assert "not measured here" in said("--published")


@pytest.mark.parametrize("clash", [("--format", "tsv"), ("--format", "json"), ("--against", "bb")])
def test_published_scores_are_not_mixed_with_ours(
    table: Path, capsys: pytest.CaptureFixture[str], clash: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit):
        nounflow_command(["scores", str(table), "--published", *clash])
    assert "take --published without --against" in capsys.readouterr().err


def test_the_command_reproduce_takes_the_row_by_its_run(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nounflow_command(["reproduce", "bb", "--table", str(table)])
    assert "git checkout" in capsys.readouterr().out


def test_provenance_knows_the_commit_and_whether_the_code_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"runs": {}}')
    monkeypatch.setenv("NOUNFLOW_CONFIG", str(tmp_path / "config.json"))
    assert provenance(tmp_path).commit is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    found = provenance(tmp_path)
    assert found.commit is not None
    assert len(found.commit) == 40
    assert not found.changed
    assert found.config == {"runs": {}}
    (tmp_path / "file").write_text("2")
    assert provenance(tmp_path).changed
