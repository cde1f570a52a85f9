"""--json of every command that shows a table, and commands called from outside of the project's folder."""

import argparse
import ast
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from annotation_site import decision
from llm_judging import SAID, make_place
from llm_judging import settings as judge_settings
from score_material import DOGS, noisy, score
from shard_material import make_material
from test_why import OUTPUT

from nounflow import classifier, model_folders, namings
from nounflow.annotation.log import DecisionLog
from nounflow.cli import main, parser
from nounflow.schemas.decisions import DecisionDraft
from nounflow.schemas.documents import write_document
from nounflow.schemas.tables import CAPTIONS, write_table
from nounflow.scoring.rows import write_scores
from nounflow.workflow import dry_run

TABLES = {  # command -> arguments, tables
    "name": (["cat.png", "gone.png"], {"images"}),
    "scores": (["--published"], {"scores", "published"}),
    "decisions show": (["--log", "log.sqlite"], {"annotators", "agreement", "contradictions"}),
    "annotations estimate": (["one.json", "--images", "images", "--configfile", "mine.yaml"], {"estimate"}),
    "captions estimate": (["--lexicon", "tiny", "--configfile", "mine.yaml"], {"estimate"}),
    "captions check": (["captions.parquet", "--nouns", "nouns.parquet", "--min-yield", "0"], {"captions"}),
    "captions compare": (["a.check.json", "a.check.json"], {"captions"}),
    "cache verify": (["shards"], {"files"}),
    "cache show": (["shards"], {"shards"}),
    "plan": ([], {"steps"}),
    "why": ([], {"causes", "follow", "changed"}),
    "status": ([], {"rules", "unfinished"}),
    "costs": ([], {"rules"}),
}
NO_TABLE = {
    *("init", "reproduce", "annotate", "decisions merge", "decisions import", "decisions export", "cache export"),
    *(
        "cache import",
        "calibrate",
        "demo",
        "explore",
        "import-novic",
        "onnx export",
        "schema",
        "serve",
        "check",
        "nouns show",
        "nouns diff",
    ),
    *("nouns export", "nouns import"),
    *("labelstudio import", "labelstudio export", "predictions import", "predictions export"),
}


def leaves(command: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(name, parser) of every sub-command that takes no other."""
    below = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield name, command
    for action in below:
        for word, one in action.choices.items():
            yield from leaves(one, f"{name} {word}".strip())


class Named:
    """A classifier that knows one picture."""

    def classify(self, files: list[str], *_: object, **__: object) -> Iterator[namings.Naming]:
        known = {"cat.png": (("cat", "dog"), (0.75, 0.25))}
        for file in files:
            nouns, probabilities = known.get(file.split("/")[-1], ((), ()))
            yield namings.Naming(file, nouns, probabilities, "" if nouns else "broken")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A project's folder with a little of everything."""
    folder = make_place(tmp_path_factory.mktemp("place"), SAID)
    (folder / "config").mkdir()
    shutil.copy(repository / "config/config.yaml", folder / "config/config.yaml")
    openai = judge_settings()
    server = openai["server"] | {"model": "tiny"}
    mine = {"annotators": {"openai": openai}, "captions": {"llm": {"server": server}}}
    (folder / "mine.yaml").write_text(json.dumps(mine))
    for name in ("cat.png", "gone.png"):
        (folder / name).write_bytes(b"a picture")
    scores = score([noisy("aa", 0.7), noisy("bb", 0.5, "retrieval")], [DOGS])
    write_scores(folder / "results/scores.tsv", scores.rows)
    write_document(folder / "results/scores.json", scores)
    make_material(folder)
    shutil.copytree(folder / "captions", folder / "results/captions") if (folder / "captions").exists() else None
    (folder / "results/nouns").mkdir(parents=True)
    shutil.copy(folder / "nouns.parquet", folder / "results/nouns/tiny.parquet")
    rows = [("a photo of a cat", [0]), ("a photo of a dog", [1]), ("nothing", [2])]
    texts = {
        "text": [text for text, _ in rows], "targets": [ids for _, ids in rows], "target_weights": [[1.0]] * 3,
        "weight": [1.0] * 3, "template": ["llm-singular"] * 3,
    }  # fmt: skip
    write_table(folder / "captions.parquet", pl.DataFrame(texts, strict=False), CAPTIONS)
    benchmark = folder / "results/benchmarks/models/small.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\tcpu_time\n1.5\tNA\t-\n")
    with DecisionLog.open(folder / "log.sqlite") as log:
        for who, category in (("ann", "correct_primary"), ("bob", "incorrect")):
            log.append([DecisionDraft.model_validate(decision("f" * 64, "cat", category, annotator=who))]).result()
    return folder


@pytest.fixture
def at(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place; Snakemake and the classifier are stand-ins."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(classifier.NounClassifier, "load", lambda *_, **__: Named())
    monkeypatch.setattr(model_folders, "find_model", lambda *_: place / "manifest.json")
    monkeypatch.setattr(dry_run, "_snakemake", lambda *_: OUTPUT)
    return place


def call(*words: str) -> Any:
    """Exit status of a command."""
    try:
        main(list(words))
    except SystemExit as end:
        return end.code
    return 0


def test_every_command_says_whether_it_shows_tables() -> None:
    with_json = {name for name, one in leaves(parser()) if "--json" in one._option_string_actions}
    assert with_json == {*TABLES, "regions"}  # which tests/test_region_files.py looks at
    assert {name for name, _ in leaves(parser())} - with_json == NO_TABLE


def test_no_command_draws_a_table_of_its_own(repository: Path) -> None:
    scores = repository / "nounflow/commands/scores.py"  # tables for papers, which are drawn as they are written
    drawing = [
        path.name
        for path in (repository / "nounflow/commands").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "rich.table" and path != scores
    ]
    assert drawing == ["tables.py"]


@pytest.mark.parametrize("name", TABLES)
def test_stdout_is_one_json_object_of_tables_and_nothing_else(
    at: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    arguments, tables = TABLES[name]
    if name == "captions compare":
        assert call(
            "captions", "check", "captions.parquet", "--nouns", "results/nouns/tiny.parquet", "--out", "a.check.json"
        ) in (0, 1)
        capsys.readouterr()
    status = call(*name.split(), *arguments, "--json")
    said = capsys.readouterr()
    found = json.loads(said.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert set(found) == tables, said.err
    assert all(isinstance(row, dict) for rows in found.values() for row in rows)
    assert status == (1 if name == "name" else 0), said.err  # of its two images one is missing
    figures = [cell for rows in found.values() for row in rows for cell in row.values() if isinstance(cell, str)]
    assert not [cell for cell in figures if cell.replace(",", "").replace(".", "").isdigit() and len(cell) != 12]


def test_cells_are_values_and_null_where_nothing_is_known(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def table(key: str, *words: str) -> Any:
        assert call(*words, "--json") == ("gone.png" in words)
        return json.loads(capsys.readouterr().out)[key]

    assert table("images", "name", "cat.png", "gone.png") == [
        {"file": "cat.png", "nouns": ["cat", "dog"], "probabilities": [0.75, 0.25], "problem": None},
        {"file": "gone.png", "nouns": [], "probabilities": [], "problem": "broken"},
    ]
    (cost,) = table("rules", "costs")
    assert (cost["rule"], cost["seconds"], cost["memory_mb"], cost["gpu_mb"]) == ("models", 1.5, None, None)
    assert table("against", "scores", "--against", "bb")[0]["run"] == "aa"
    assert {row["predictor"]: row["difference_to_retrieval"] is None for row in table("scores", "scores")} == {
        "decoder": False,
        "retrieval": True,
    }
    assert {type(step["jobs"]) for step in table("steps", "plan")} == {int}


def test_what_has_failed_is_still_on_stdout(at: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    make_material(tmp_path)
    next(tmp_path.rglob("shards/m1/0.json")).unlink()
    assert call("cache", "verify", str(tmp_path / "shards"), "--json") == 1
    rows = json.loads(capsys.readouterr().out)["files"]
    assert [row["problem"] is None for row in rows].count(False) == 1
    assert call("scores", "none.tsv", "--json") == 1
    assert capsys.readouterr().out == ""


# --- the project's folder ---


def test_a_folder_below_the_project_serves_as_well_and_paths_are_meant_from_there(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    below = at / "images/deep"
    below.mkdir(exist_ok=True)
    (below / "cat.png").write_bytes(b"another")
    monkeypatch.chdir(below)
    assert call("plan", "--configfile", "../../mine.yaml") == 0
    assert call("costs") == 0
    capsys.readouterr()
    assert call("name", "cat.png", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["images"][0]["nouns"] == ["cat", "dog"]
    assert f"project: {at}" in said.err
    assert call("annotations", "estimate", "../../one.json", "--images", "..", "--configfile", "../../mine.yaml") == 0
    assert below.samefile(".")  # and nobody is left elsewhere


@pytest.mark.parametrize(
    "words", [["--project", "{}", "costs"], ["costs", "--project={}"], ["costs", "--project", "{}"]]
)
def test_the_project_is_named_from_anywhere(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*(word.format(at) for word in words)) == 0
    assert "models" in capsys.readouterr().out


def test_without_a_project_it_is_said_what_was_looked_for(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["plan"], ["why"], ["status"]):
        assert call(*words) == 1
        said = capsys.readouterr().err
        assert str(tmp_path) in said
        for looked_for in ("config/config.yaml", "config.yaml", "Snakefile", "--project DIR"):
            assert looked_for in said
    assert call("plan", "--project", str(tmp_path)) == 1
    assert "nounflow init" in capsys.readouterr().err


def test_a_folder_made_by_init_is_a_project(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert call("init", str(tmp_path / "mine")) == 0
    monkeypatch.chdir(tmp_path / "mine")
    assert call("plan") == 0
    assert "train small" in capsys.readouterr().out
