"""Files that were changed behind the program's back: an error that names them, never other numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shard_material import make_material
from test_checkpoint import state, store

from nounflow.decoder.novic_file import load_parts, short
from nounflow.errors import DamagedFileError
from nounflow.images import ImageError
from nounflow.report.gallery import picture
from nounflow.store.checkpoint_files import DOCUMENT
from nounflow.store.inspection import verify
from nounflow.store.merging import merge
from nounflow.store.shards import VECTORS, array_folder
from nounflow.store.training_set import open_training_set


@pytest.fixture
def training_set(tmp_path: Path) -> dict[str, Any]:
    material = make_material(tmp_path)
    merge(**material)
    return material


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b""), lambda path: path.write_bytes(bytes(80))])
def test_a_mapped_shard_that_is_changed_in_place_is_an_error_that_names_it(
    training_set: dict[str, Any], change: Callable[[Path], object]
) -> None:
    opened = open_training_set(training_set["folder"] / "manifest.json", memory=0)
    rows = np.arange(len(opened.vectors))
    assert len(opened.vectors[rows]) == len(rows)
    shard = training_set["shard_manifests"]["m1"][0]
    change(array_folder(shard) / VECTORS)
    with pytest.raises(DamagedFileError, match="changed while it was being read") as caught:
        opened.vectors[rows]
    assert "shards/m1/0.zarr" in str(caught.value)


def test_a_training_set_whose_manifest_was_edited_is_refused_and_found(training_set: dict[str, Any]) -> None:
    path = training_set["folder"] / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"heldout": 1}))
    with pytest.raises(DamagedFileError, match="not the one that was written"):
        open_training_set(path)
    assert [found.path for found in verify([path], 1) if found.problem] == [path]


def test_a_checkpoint_whose_document_was_edited_is_refused(tmp_path: Path) -> None:
    checkpoints = store(tmp_path)
    checkpoints.save(state(120, {"w": torch.ones(1)}))
    path = checkpoints.folder / DOCUMENT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"step": 7}))
    with pytest.raises(DamagedFileError, match="not the one that was written"):
        store(tmp_path).load("cpu")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"a": "\\ud83d"}'])
def test_json_that_no_reader_takes_is_one_bad_file_of_many(training_set: dict[str, Any], text: str) -> None:
    (training_set["folder"] / "odd.json").write_text(text)
    found = verify([training_set["folder"]], 1)
    assert [path.path.name for path in found if path.problem] == ["odd.json"]
    assert len(found) > 1


def test_a_pickle_that_unfolds_without_end_is_refused_soon(tmp_path: Path) -> None:
    value: list[object] = []
    for _ in range(40):
        value = [value, value]
    torch.save({"cfg_flat": value}, tmp_path / "bomb.train")
    with pytest.raises(DamagedFileError, match="unfolds"):
        load_parts(tmp_path / "bomb.train")
    assert len(short(value)) < 200


def test_a_flipped_byte_of_a_strangers_checkpoint_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.train"
    torch.save({"w": torch.arange(1000.0)}, path)
    content = bytearray(path.read_bytes())
    at = bytes(content).index(torch.arange(1000.0).numpy().tobytes()[400:440])
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"is not what was written|CRC"):
        load_parts(path)


@pytest.mark.parametrize("file", ["../a.png", "/etc/a.png", "sub/../../a.png"])
def test_the_report_reads_no_picture_outside_its_folder(tmp_path: Path, file: str) -> None:
    with pytest.raises(ImageError, match="leads out"):
        picture(tmp_path, file)
