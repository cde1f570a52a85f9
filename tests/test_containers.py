"""The container recipes, read rather than built: both install the same, and what they copy is there.

`make lint` has hadolint read the Dockerfile.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = re.compile(r"apt-get install (?:--\S+ )*(.+?)(?: *\\?\n|$)")


@pytest.fixture(scope="module")
def dockerfile(repository: Path) -> list[tuple[str, str]]:
    """(instruction, arguments) in order, lines joined and comments gone."""
    text = re.sub(r"^\s*#.*\n", "", (repository / "containers/Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", "", text).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def sections(repository: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Apptainer definition: header fields, and the text of each %section."""
    text = (repository / "containers/nounflow.def").read_text()
    head, *parts = re.split(r"^%(\w+)\n", text, flags=re.MULTILINE)
    fields = dict(re.findall(r"^(\w+): (.+)$", head, flags=re.MULTILINE))
    return fields, dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_dockerfile_copies_what_is_there_and_starts_what_the_makefile_has(
    repository: Path, dockerfile: list[tuple[str, str]]
) -> None:
    names = [name for name, _ in dockerfile]
    assert names[0] == "FROM"
    assert {"RUN", "WORKDIR", "COPY", "ENV", "CMD"} <= set(names) <= {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "CMD"}
    copied = [word for name, rest in dockerfile if name == "COPY" for word in rest.split()[:-1]]
    assert all((repository / word).exists() for word in copied)
    assert dict(dockerfile)["CMD"] == '["make", "scores"]'
    targets = re.findall(r"^(\w+):", (repository / "Makefile").read_text(), flags=re.MULTILINE)
    assert {"scores", "environment"} <= set(targets)


def test_what_belongs_to_a_machine_is_not_copied_into_the_image(repository: Path) -> None:
    ignored = (repository / ".dockerignore").read_text().split()
    assert {".venv", ".snakemake", "results"} <= {line.strip("/*") for line in ignored}


def test_the_apptainer_definition_has_its_sections_and_the_dockerfiles_base_and_packages(
    repository: Path, dockerfile: list[tuple[str, str]], sections: tuple[dict[str, str], dict[str, str]]
) -> None:
    fields, parts = sections
    assert fields["Bootstrap"] == "docker"
    assert fields["From"] == dict(reversed(dockerfile))["FROM"]
    assert {"files", "post", "environment", "runscript"} <= set(parts)
    installed = next(rest for name, rest in dockerfile if name == "RUN" and "apt-get install" in rest)
    docker_packages = PACKAGES.findall(installed.replace(" && ", "\n"))[0].split()
    assert PACKAGES.findall(parts["post"])[0].split() == docker_packages
    assert "make environment" in parts["post"]
    assert '"$@"' in parts["runscript"]
    for name in ("post", "environment", "runscript"):  # they are shell scripts
        subprocess.run(["bash", "-n"], input=parts[name], text=True, check=True)


def test_what_apptainer_runs_works_in_a_folder_of_the_caller(
    repository: Path, sections: tuple[dict[str, str], dict[str, str]], tmp_path: Path
) -> None:
    """The image cannot be written to; here the project's folder stands for the image's."""
    script = sections[1]["runscript"].replace("/opt/nounflow", str(repository))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script, "run", "--dry-run", "results/nouns/small.parquet"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Building the lexicon small" in done.stdout
    assert "profiles/default" in done.stdout + done.stderr  # found beside the Snakefile
