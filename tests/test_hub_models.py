"""Models to and from a hub: `push_to_hub` and `from_pretrained` against a stand-in of the hub's API."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub
from random_model import NOUNS, random_model

PUSH = """
import sys
from pathlib import Path
from nounflow.model_folders import push_model, save_model
save_model(Path(sys.argv[1]) / "manifest.json", Path(sys.argv[2]))
print(push_model(Path(sys.argv[2]) / "manifest.json", "ann/birds", private=True))
"""
FETCH = """
import sys
from nounflow import NounflowError
from nounflow.model_folders import find_model
from nounflow.store.weights import read_predictor
manifest, tensors = read_predictor(find_model("ann/birds"))
print(*manifest.nouns, sep="|")
try:
    find_model("ann/fish")
except NounflowError as error:
    print(error)
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def python(hub: Hub, home: Path, code: str, *words: str | Path) -> str:
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_TOKEN": "hf_of_this_test",
                   "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, cwd=home, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_model_goes_to_the_hub_and_comes_back_whole(hub: Hub, tmp_path: Path) -> None:
    model = random_model(tmp_path / "model")
    address = python(hub, tmp_path, PUSH, model, tmp_path / "saved")
    assert address.startswith(f"{hub.address}/ann/birds")
    files = hub.repositories["ann/birds"]
    assert files["weights.safetensors"] == (model / "weights.safetensors").read_bytes()
    assert "Names what is in a photograph" in files["README.md"].decode()
    assert "Bearer hf_of_this_test" in hub.tokens
    nouns, problem, *_rest = python(hub, tmp_path, FETCH).splitlines()
    assert tuple(nouns.split("|")) == NOUNS
    assert "the hub does not give a model of this name" in problem
