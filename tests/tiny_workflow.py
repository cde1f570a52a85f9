"""The tiny workflow that tests run for real: a project folder of its own, whose code and config a test may change."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil
import pytest
import yaml
from filelock import FileLock
from PIL import Image, ImageDraw

from nounflow.files import sha256_file, sha256_json

CODE = ("Snakefile", "rules", "workflow_scripts", "nounflow", "config", "resources", "profiles", "docs/report")
MERGED = "results/training_sets/bundled/tiny/m3_captions/manifest.json"
RULE_LINE = re.compile(r"^(\w+)\s+(\d+)$", flags=re.MULTILINE)


class Ended(NamedTuple):
    """How a Snakemake process ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class Project:
    """A copy of the project with its own results, whose code and config a test may change."""

    first_output = ""  # what the first run said, where there was one

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def snakemake(self, *options: str, check: bool = True) -> Ended:
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *options, "--cores", "2", "--configfile", "tiny.yaml"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        if check:
            assert ended.returncode == 0, ended.output[-6000:]
        return ended

    def start(self, *options: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """A Snakemake process that the test goes on beside; stdout and stderr in one (a pipe holds 64 KB)."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "snakemake", *options, "--cores", "2", "--configfile", "tiny.yaml"]
        self.started.append(
            subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=stdout, stderr=subprocess.STDOUT, text=True
            )
        )
        return self.started[-1]

    def would_run(self, *options: str) -> dict[str, int]:
        """Rules that a dry run names, with the number of their jobs."""
        output = self.snakemake("--dry-run", *options).output
        if "Nothing to be done" in output:
            return {}
        table = output.split("Job stats:")[1].split("\n\n")[0]
        return {name: int(n) for name, n in RULE_LINE.findall(table) if name not in ("all", "total")}

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new, 1))

    def configure(self, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.folder / "tiny.yaml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config))


def draw_images(folder: Path) -> None:
    """A few pictures, one of them broken, one empty, one animated."""
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("b.jpg", "green"), ("sub dir/it's c.png", "blue")):
        (folder / name).parent.mkdir(exist_ok=True)
        image = Image.new("RGB", (120, 90), "white")
        ImageDraw.Draw(image).ellipse((20, 10, 100, 80), fill=colour)
        image.save(folder / name)
    frames = [Image.new("P", (40, 40), colour) for colour in (1, 2)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    whole = (folder / "b.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "empty.png").write_bytes(b"")


def build(folder: Path, repository: Path, wordnet_input: Path) -> Project:
    """Lay out the tiny workflow in a new folder: this code, its config, pictures, WordNet; nothing has run."""
    folder.mkdir(parents=True)
    for name in CODE:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    shutil.copy2(repository / "tests/tiny.yaml", folder / "tiny.yaml")
    shutil.copy2(repository / "environment.yml", folder / "environment.yml")
    shutil.copytree(wordnet_input, folder / "results/inputs/wordnet")
    draw_images(folder / "drawn")
    (folder / "drawn.tsv").write_text("file\tgold\na.png\tapple\nb.jpg\tlime\nbroken.jpg\tcat\n")
    return Project(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path, wordnet_input: Path) -> Project:
    """The tiny workflow, run once from nothing, for all processes that test side by side; tests work on copies."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    with FileLock(folder / "workflow.lock"):
        project = Project(folder / "workflow/project")
        output = folder / "workflow/output.txt"
        if not output.exists():
            shutil.rmtree(project.folder, ignore_errors=True)
            build(project.folder, repository, wordnet_input)
            output.write_text(project.snakemake().output)
    project.first_output = output.read_text()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    copy = tmp_path / "project"
    subprocess.run(["cp", "-a", str(finished.folder), str(copy)], check=True)  # keeps times, as Snakemake needs
    project = Project(copy)
    yield project
    for process in project.started:  # those of a test that failed
        process.kill()
        process.wait()


def results_of(project: Project) -> dict[Path, bytes]:
    """Every file of the results folder, without logs and timings."""
    results = project.folder / "results"
    files = {path.relative_to(results): path for path in results.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name.parts[0] not in ("logs", "benchmarks")}


def digests(results: Path) -> dict[str, str]:
    """Digest of each result that is to be the same in every run, without what holds times or says what was reused."""
    return {
        str(path.relative_to(results)): digest
        for path in sorted(results.rglob("*"))
        if (digest := _digest(path, results))
    }


def _digest(path: Path, results: Path) -> str | None:
    inside = path.relative_to(results)
    passed_over = inside.parts[0] in ("logs", "benchmarks", "inputs", ".earlier") or inside.name in (
        "report.html",
        ".snakemake_timestamp",
    )
    if passed_over or not path.is_file() or (inside.parts[0] == "embeddings" and path.name.endswith(".counts.json")):
        return None
    if path.name == "scores.tsv":
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        time = rows[0].index("ms_per_image")
        return sha256_json([row[:time] + row[time + 1 :] for row in rows])
    if path.name == "scores.json":
        document = json.loads(path.read_text())
        for row in document["rows"]:
            del row["ms_per_image"]
        return sha256_json(document)
    if path.suffix == ".json" and (document := json.loads(path.read_text())).get("milliseconds") is not None:
        return sha256_json({key: value for key, value in document.items() if key not in ("milliseconds", "digest")})
    return sha256_file(path)


class StageWatch:
    """Sees the processes of a Snakemake process's jobs."""

    def __init__(self, snakemake: subprocess.Popen[str]) -> None:
        self.snakemake = psutil.Process(snakemake.pid)

    def stages(self) -> Iterator[tuple[str, psutil.Process]]:
        """(stage, process) of each script of workflow_scripts/ that runs now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in self.snakemake.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    words = process.cmdline()
                    if len(words) > 1 and Path(words[1]).parent.name == "workflow_scripts":
                        yield Path(words[1]).stem, process

    @staticmethod
    def kill(process: psutil.Process) -> None:
        """kill -9."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()

    @staticmethod
    def terminate(process: psutil.Process) -> None:
        """SIGTERM to the whole job, as a scheduler sends it: the shell, the stage and `tee`."""
        with contextlib.suppress(psutil.NoSuchProcess):
            shell = process.parent()
            for part in [shell, *shell.children()]:
                part.terminate()
