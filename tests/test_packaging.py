"""pyproject.toml, environment.yml and requirements.lock say the same; the tree keeps its own rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from nounflow.predictor_kinds import PREDICTORS

# PyPI name -> conda name, where they differ
CONDA_NAMES = {
    "huggingface-hub": "huggingface_hub",
    "matplotlib": "matplotlib-base",
    "open-clip-torch": "open_clip_torch",
    "playwright": "playwright-python",
    "prometheus-client": "prometheus_client",
    "snakemake": "snakemake-minimal",
    "torch": "pytorch",
}


def requirement(text: str) -> tuple[str, str]:
    """Name and version range of "name>=1,<2" or "name >=1,<2"."""
    ((name, versions),) = re.findall(r"^([A-Za-z0-9_.-]+)\s*(.*)$", text)
    return name, versions.replace(" ", "")


@pytest.fixture(scope="module")
def pyproject(repository: Path) -> dict[str, str]:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return dict(requirement(text) for text in [*project["dependencies"], *(text for extra in extras for text in extra)])


def test_the_conda_environment_has_the_same_dependencies_and_ranges(
    repository: Path, pyproject: dict[str, str]
) -> None:
    entries = yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]
    conda = dict(requirement(entry) for entry in entries if isinstance(entry, str))
    conda |= dict(requirement(entry) for part in entries if isinstance(part, dict) for entry in part["pip"])
    del conda["pip"], conda["python"]
    assert conda == {CONDA_NAMES.get(name, name): versions for name, versions in pyproject.items()}


def imports_of(paths: Iterable[Path]) -> set[str]:
    """Top-level names that files import, also within functions."""
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    plain = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module.split(".")[0]
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }


def test_what_is_imported_is_declared(repository: Path, pyproject: dict[str, str]) -> None:
    tests = repository / "tests"
    own = {"nounflow", *(path.stem for path in tests.glob("*.py"))}
    folders = ("nounflow", "workflow_scripts", "tests")
    imported = imports_of(path for folder in folders for path in (repository / folder).rglob("*.py"))
    packages = packages_distributions()
    undeclared = {
        name
        for name in imported - own - sys.stdlib_module_names
        if not {re.sub(r"[-_.]+", "-", package.lower()) for package in packages.get(name, [])} & set(pyproject)
    }
    assert undeclared == set()


def test_the_lock_has_every_dependency_within_its_range_and_with_hashes(
    repository: Path, pyproject: dict[str, str]
) -> None:
    from packaging.specifiers import SpecifierSet

    lock = (repository / "requirements.lock").read_text()
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, flags=re.MULTILINE):
        locked.setdefault(name, []).append(version)
    for name, versions in pyproject.items():
        assert name in locked, f"{name} is not in requirements.lock: run `make lock`"
        assert all(version in SpecifierSet(versions) for version in locked[name]), name
    pinned = re.split(r"^(?=[a-z0-9._-]+==)", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in part for part in pinned)


def test_the_lock_names_no_host(repository: Path) -> None:
    lock = (repository / "requirements.lock").read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", lock)


def test_importing_the_package_loads_no_model_library() -> None:
    heavy = ("torch", "transformers", "polars")
    code = f"import sys, nounflow, nounflow.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


LAYERS = [  # each may import what stands before it, and itself
    {"annotator_kinds", "atomic", "errors", "escaping", "files", "counts", "open_set_scores", "predictor_kinds",
     "extras", "process", "registry", "streams", "commandline", "progress", "text", "image_folders", "image_names",
     "image_repair", "images", "image_sources", "wordnet", "config", "schemas",
     "fingerprint", "device", "device_lease", "inputs", "llm", "journal", "job_log", "group_writer",
     "ahead", "retry_after", "senses", "sidecars", "spreadsheets", "tsv", "version", "workflow"},
    {"store"},
    {"training"},
    {"decoder", "embedders"},
    {"predictors", "annotation", "scoring", "nouns", "captions", "embedder_checks", "open_set"},
    {"tags", "regions"},
    {"classifier", "classification", "report", "model_folders", "namings", "onnx", "opening"},
    {"web", "serving"},
    {"commands"},
    {"cli"},
]  # fmt: skip
STRANGERS = [
    {"decoder", "embedders"},
    {"predictors", "annotation", "scoring", "nouns", "captions", "embedder_checks", "open_set"},
]


def test_imports_run_one_way(repository: Path) -> None:
    level = {name: depth for depth, names in enumerate(LAYERS) for name in names}
    wrong = []
    for path in sorted((repository / "nounflow").rglob("*.py")):
        own = path.relative_to(repository / "nounflow").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for other in set(re.findall(r"(?:from|import) nounflow\.(\w+)", path.read_text())):
            if level[other] > level[own] or (
                other != own and any({own, other} <= strangers for strangers in STRANGERS)
            ):
                wrong.append(f"{path.relative_to(repository)} imports nounflow.{other}")
    assert not wrong


def test_no_module_is_too_long_to_read_at_once(repository: Path) -> None:
    long = {
        str(path.relative_to(repository)): lines
        for folder in ("nounflow", "workflow_scripts")
        for path in (repository / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_the_rule_graph_in_the_docs_shows_the_rules_of_the_main_job(repository: Path) -> None:
    shown = set(re.findall(r">(\w+)</text>", (repository / "docs/rulegraph.svg").read_text()))
    rules = {
        rule
        for path in (repository / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE)
    } | {kind.rule for kind in PREDICTORS.values()}
    beside = {"ask_captions", "ask_judgements", "calibrate", "check_captions", "classification", "classify",
              "collect_decisions", "compose_scenes",
              "compose_region_scenes", "propose_regions", "embed_regions", "probe_regions", "score_regions",
              "embed_open_set", "embed_pairs", "embed_views", "embedder_check", "fit_gate", "list_check_set",
              "measure_gap",
              "lexicon_page", "modality_gap", "report", "train_no_model", "train_tags",
              "score_named", "score_open_set", "score_tags"}  # fmt: skip
    assert shown == rules - beside, "draw docs/rulegraph.svg anew: docs/workflow.md says how"


def test_what_benchmarks_import_is_there(repository: Path) -> None:
    """No other test runs them, and mypy does not read them."""
    names: dict[str, set[str]] = {}
    missing = []
    for script in sorted((repository / "benchmarks").glob("*.py")):
        for node in ast.walk(ast.parse(script.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nounflow."):
                place = repository / node.module.replace(".", "/")
                source = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
                if node.module not in names:
                    text = source.read_text() if source.is_file() else ""
                    names[node.module] = {path.stem for path in place.glob("*.py")} | set(re.findall(r"\w+", text))
                missing += [f"{script.name}: {node.module}.{a.name}" for a in node.names
                            if a.name not in names[node.module]]  # fmt: skip
    assert names
    assert missing == []
