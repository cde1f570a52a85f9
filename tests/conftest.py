"""Fixtures that several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: its threads would spin while others test, too
os.environ["NO_PROXY"] = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1")))  # servers of the tests

import pytest
import torch
from annotation_desk import browser, playwright, server, sit, site  # noqa: F401  (fixtures)
from caption_material import book, nouns, template_files, templates  # noqa: F401  (fixtures)
from check_material import check_nouns, checks  # noqa: F401  (fixtures)
from embedder_check_material import bundled, open_clip_model  # noqa: F401  (fixtures)
from input_material import no_waiting_and_no_wordnet, programs, wordnet_deb  # noqa: F401  (fixtures)
from noun_material import frequencies, lists, rules  # noqa: F401  (fixtures)
from report_material import report_results  # noqa: F401  (fixtures)
from tiny_workflow import finished, project  # noqa: F401  (fixtures)
from tower_material import folders  # noqa: F401  (fixture)

from nounflow.inputs import input_folder
from nounflow.wordnet import WordNet

if TYPE_CHECKING:
    from llm_asking import Askers

# Files that take longest, first, so that what two workers share out at the end is short.
# Those of the tiny workflow stand together, or one worker would wait until the other has run it.
_LONGEST = (
    *("workflow", "workflow_llm", "workflow_reuse", "workflow_refusals"),
    *("death", "between_workflows", "job_log", "why", "training"),
    *("embedder_checks", "text_towers", "reuse", "module", "llm_captions", "checkpoint"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others as they are."""
    names = [f"test_{name}" for name in _LONGEST]
    items.sort(key=lambda item: names.index(item.path.stem) if item.path.stem in names else len(names))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors are fastest on one thread, and tests run side by side."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's folder."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def wordnet_input(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fetched WordNet (folder with manifest.json): of an earlier `make scores`, else fetched now."""
    folder = repository / "results/inputs/wordnet"
    if (folder / "manifest.json").is_file():
        return folder
    folder = tmp_path_factory.mktemp("inputs") / "wordnet"
    script = repository / "workflow_scripts/fetch_inputs.py"
    subprocess.run([sys.executable, str(script), "--name", "wordnet", "--out", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def wordnet(wordnet_input: Path) -> WordNet:
    """The real WordNet."""
    return WordNet.load(input_folder(wordnet_input / "manifest.json"))


@pytest.fixture(scope="module")
def askers() -> Iterator[Askers]:
    """Makes processes that ask a language model and can be killed."""
    from llm_asking import Askers

    with Askers() as askers:
        yield askers
