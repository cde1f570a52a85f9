"""A machine with a PATH of fakes: what the tests of inputs share."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Literal

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "workflow_scripts" / "fetch_inputs.py"
NOTICE = "  14 WordNet 3.0 Copyright 2006 by Princeton University.\n"
WORDNET = {"data.noun": NOTICE, "index.noun": NOTICE, "cntlist.rev": "x", "data.verb": "not read"}
NOWHERE = Path("/nonexistent")


def archive(path: Path, files: dict[str, str], mode: Literal["w", "w:gz", "w:xz", "w:bz2"] = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


class Programs:
    """A PATH that holds a few harmless tools and the fakes that a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.log = folder / "calls"
        self.folder.mkdir()
        for tool in ("cat", "cp", "sleep", "touch"):
            program = shutil.which(tool)
            assert program, tool
            (self.folder / tool).symlink_to(program)

    def add(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nfor last; do :; done\n{body}\n")
        path.chmod(0o755)

    def add_apt(self, deb: Path, update: str = ":", download: str = "", known: str = ":") -> None:
        """apt-get and dpkg-deb around a "package", which is just a tar file."""
        name = "${last}_1%3a3.0-7_all.deb"
        self.add(
            "apt-get",
            f"""case " $* " in
            *" update "*) echo update >> {self.log}; {update} ;;
            *" --print-uris "*) {known} || exit 100; echo "'http://archive/$last.deb' {name} 2000000 SHA256:0" ;;
            *" download "*) echo download >> {self.log}; {download or f'cp {deb} "{name}"'} ;;
            esac""",
        )
        self.add("dpkg-deb", 'cat "$last"')

    def calls(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def no_waiting_and_no_wordnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    monkeypatch.delenv("NOUNFLOW_WORDNET", raising=False)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    fakes = Programs(tmp_path)
    monkeypatch.setenv("PATH", str(fakes.folder))
    return fakes


@pytest.fixture
def wordnet_deb(tmp_path: Path) -> Path:
    files = {f"./usr/share/wordnet/{name}": text for name, text in WORDNET.items()}
    return archive(tmp_path / "wordnet.deb", files | {"./usr/share/doc/data.noun": "elsewhere"})


def wordnet_in(folder: Path) -> Path:
    folder.mkdir()
    for name, text in WORDNET.items():
        (folder / name).write_text(text)
    return folder


def run_script(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
