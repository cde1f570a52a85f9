"""The `nounflow` command's options that all sub-commands share."""

from __future__ import annotations

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
def test_files_of_the_config_swallow_no_name(words):
    parsed = parse(words)
    assert parsed.configfile == [Path("a.yaml"), Path("b.yml")]
    assert parsed.predictions == ["small"]


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert metadata.version("nounflow") in capsys.readouterr().out


def test_outside_a_project_s_folder_the_folder_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["plan"])
    assert str(tmp_path) in (said := capsys.readouterr().err)
    assert "project" in said
