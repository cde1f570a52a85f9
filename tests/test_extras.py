"""A plain installation names photographs; what else is asked for says which extra brings it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from random_model import NOUNS, random_model

from nounflow.extras import EXTRAS

# Modules that are not to be found, as in an installation without their extras.
BLOCKED = """
import importlib.machinery, sys
class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked!r} else super().find_spec(name, path, target)
sys.meta_path[:] = [Without if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
"""
MAIN = "from nounflow.cli import main; main(sys.argv[1:])"
ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What packages of the base bring along: blocked, they would miss it.
BROUGHT_ALONG = {"filelock", "rich", "sklearn", "yaml", "jinja2", "markupsafe", "httpx2"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light")
    Image.new("RGB", (40, 30), "orange").save(folder / "photo.png")
    return random_model(folder / "model")


def nounflow(
    folder: Path, *words: str, extras: tuple[str, ...] = (), code: str = MAIN
) -> subprocess.CompletedProcess[str]:
    """The command where only the base and some extras are installed."""
    blocked = {module for module, extra in EXTRAS.items() if extra not in extras} - BROUGHT_ALONG
    return subprocess.run(
        [sys.executable, "-c", BLOCKED.format(blocked=blocked) + code, *words],
        capture_output=True, text=True, cwd=folder, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_the_base_names_a_photograph(model: Path) -> None:
    done = nounflow(model.parent, "name", "photo.png", "--run", "model", "--json", "--out", "nouns.csv")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["images"]
    assert set(row["nouns"]) <= set(NOUNS)
    assert len(row["nouns"]) == 3


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["plan", "--project", str(ROOT)], "workflow"),
        (["serve", "model"], "web"),
        (["name", "photo.png", "--run", "model", "--write-xmp"], "xmp"),
    ],
)
def test_what_needs_an_extra_names_it(model: Path, words: list[str], extra: str) -> None:
    done = nounflow(model.parent, *words)
    assert done.returncode == 1
    assert f"pip install 'nounflow[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_server_needs_no_workflow(model: Path) -> None:
    imports = "import nounflow.serving.app, nounflow.web.connections, nounflow.web.security"
    done = nounflow(model.parent, extras=("web",), code=imports)
    assert done.returncode == 0, done.stderr


def third_party(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        yield from (name.partition(".")[0] for name in names)


def test_every_import_of_the_library_is_of_the_base_or_of_a_known_extra() -> None:
    from importlib.metadata import packages_distributions

    distributions = packages_distributions()

    def declared(texts: list[str]) -> set[str]:
        return {re.split(r"[<>=\[]", text)[0] for text in texts}

    base, extras = declared(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
    imported = {name for path in (ROOT / "nounflow").rglob("*.py") for name in third_party(path)}
    for name in imported - set(sys.stdlib_module_names) - {"nounflow"}:
        brings = {re.sub(r"[-_.]+", "-", found.lower()) for found in distributions.get(name, [])}
        if name in EXTRAS:
            assert brings & declared(extras[EXTRAS[name]]), name
            assert not brings & base, name
        else:
            assert brings & base, f"{name} is neither of the base nor in nounflow/extras.py"


def test_every_extra_that_a_message_names_can_be_installed() -> None:
    assert set(EXTRAS.values()) <= set(PROJECT["optional-dependencies"])


@pytest.mark.extra
def test_the_base_installed_alone_names_a_photograph(model: Path, tmp_path: Path) -> None:
    """From the index or the local cache: minutes, 5 GB on disk."""
    uv, source = Path(sys.executable).with_name("uv"), tmp_path / "source"
    shutil.copytree(ROOT / "nounflow", source / "nounflow")  # building leaves folders behind
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    python = tmp_path / "venv/bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, source], check=True)
    listed = subprocess.run([uv, "pip", "list", "--python", python], capture_output=True, text=True, check=True).stdout
    assert not {"snakemake", "gradio", "openai", "fastapi", "zarr", "matplotlib"} & set(
        re.findall(r"^\S+", listed, re.M)
    )
    command = tmp_path / "venv/bin/nounflow"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words: list[str | Path] = [command, "name", "photo.png", "--run", "model", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=model.parent, env=environment)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["images"][0]["nouns"]) == 3


def test_bash_completes_commands_options_and_files(tmp_path: Path) -> None:
    script = subprocess.run(
        [sys.executable, "-c", "from nounflow.cli import main; main()", "--print-completion", "bash"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "completion.bash").write_text(script)
    (tmp_path / "cat.jpg").touch()

    def completed(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in ("nounflow", *words))
        asked = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _shtab_nounflow 2>/dev/null; echo ${{COMPREPLY[@]}}"
        lines = ["source completion.bash", "compopt() { :; }", asked]
        found = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, cwd=tmp_path)
        return found.stdout.split()

    assert completed("ser") == ["serve"]
    assert "--guide" in completed("name", "--gu")
    assert "cat.jpg" in completed("name", "ca")
