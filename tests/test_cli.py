"""The `nounflow` command's options that all sub-commands share."""

from __future__ import annotations

import os
import subprocess
import sys
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


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert metadata.version("nounflow") in capsys.readouterr().out


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
