"""The `nounflow` command's options that all sub-commands share."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from nounflow.cli import main, parse


@pytest.mark.parametrize(
    "words",
    [
        ["annotate", "--configfile", "a.yaml", "b.yml", "small"],
        ["annotate", "--configfile", "a.yaml", "--configfile", "b.yml", "small"],
        ["annotate", "small", "--configfile", "a.yaml", "b.yml"],
        ["annotate", "--configfile", "a.yaml", "b.yml", "--debug", "small"],
    ],
)
def test_files_of_the_config_swallow_no_name(words: list[str]) -> None:
    parsed = parse(words)
    assert parsed.configfile == [Path("a.yaml"), Path("b.yml")]
    assert parsed.predictions == ["small"]


@pytest.mark.parametrize("words", [["explore"], ["decisions", "show"], ["serve"], ["calibrate"]])
def test_the_help_of_a_command_says_what_it_is_for(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*words, "--help"])
    usage, purpose, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith("usage: nounflow ")
    assert re.fullmatch(r"[A-Z][^%]*( % [^%]*)?\.", purpose)


def test_the_pages_of_two_commands_can_be_open_together() -> None:
    commands = (["annotate", "small"], ["serve"], ["demo"], ["explore", "small"])
    assert len({parse(words).port for words in commands}) == 4


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"nounflow {pyproject_version()}\n"


def pyproject_version() -> str:
    return str(tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["version"])


def test_a_folder_that_is_not_installed_knows_its_version(repository: Path, tmp_path: Path) -> None:
    """As of jobs with --sdm conda, whose environment has all but nounflow itself."""
    ask = [sys.executable, "-S", "-c", "from nounflow.version import nounflow_version as v; print(v())"]
    environment = {"PYTHONPATH": str(repository), "PATH": "/usr/bin:/bin"}  # -S: no installed package is seen
    done = subprocess.run(ask, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{pyproject_version()}\n", "")
    shutil.copytree(repository / "nounflow", tmp_path / "lost/nounflow", ignore=shutil.ignore_patterns("__pycache__"))
    environment["PYTHONPATH"] = str(tmp_path / "lost")
    done = subprocess.run(ask, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("unknown\n", "")


def test_what_writes_the_version_needs_no_installation(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    from nounflow.job_log import header
    from nounflow.scoring.provenance import provenance

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert provenance(repository).nounflow == pyproject_version()
    assert f"nounflow {pyproject_version()}" in header(None)


def test_outside_a_project_s_folder_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["plan"])
    assert str(tmp_path) in (said := capsys.readouterr().err)
    assert "project" in said


def test_init_makes_a_folder_whose_workflow_uses_this_one_and_overwrites_nothing(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my photos"
    main(["init", str(folder)])
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "results/scores.tsv"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train_decoder" in done.stdout + done.stderr
    before = (folder / "Snakefile").read_bytes()
    with pytest.raises(SystemExit):
        main(["init", str(folder)])
    assert "already" in capsys.readouterr().err
    assert (folder / "Snakefile").read_bytes() == before
