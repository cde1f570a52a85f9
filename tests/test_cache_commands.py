"""`nounflow cache` verify, show, export and import, as typed into a terminal."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from shard_material import DIM, identity, make_material, unit_rows, vectors_file, write

from nounflow.cli import main
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.schemas.models import FusedRule
from nounflow.schemas.tables import INDEX, lexicon_digest, read_lexicon
from nounflow.store.flat_cache import read_flat_cache
from nounflow.store.merging import MANIFEST, merge
from nounflow.store.shards import array_folder, read_manifest
from nounflow.store.training_set import open_training_set
from nounflow.store.weights import write_fused, write_predictor
from nounflow.training.checkpoint import Checkpoints, State


@pytest.fixture
def material(tmp_path: Path) -> dict[str, Any]:
    """Three shards and the training set that they make."""
    material = make_material(tmp_path)
    merge(**material)
    return material


def run(*arguments: object) -> int | str | None:
    """Exit status of `nounflow cache ...`."""
    try:
        main(["cache", *map(str, arguments)])
    except SystemExit as end:
        return end.code
    return 0


def flip(path: Path) -> None:
    payload = bytearray(path.read_bytes())
    payload[0] ^= 1
    path.write_bytes(payload)


# --- verify ---


def test_whole_shards_and_training_sets_verify_with_status_0(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", tmp_path / "shards", material["folder"]) == 0
    assert "4 of 4 whole" in capsys.readouterr().out


def test_every_bad_shard_is_listed_with_status_1(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(vectors_file(tmp_path / "shards/m1/0.json"))
    (tmp_path / "shards/m1/1.json").unlink()
    (array_folder(tmp_path / "shards/m2/0.json") / "keys/c/0/0").write_bytes(b"")
    assert run("verify", tmp_path / "shards") == 1
    output = capsys.readouterr().out
    assert "0 of 3 whole" in output
    for name, reason in (
        ("m1/0.json", "not those that were written"),
        ("m1/1.json", "no manifest"),
        ("m2/0.json", "0 bytes where its manifest promises"),
    ):
        assert name in output
        assert reason in output


@pytest.mark.parametrize("loss", ["shard", "arrays", "index", "made anew"])
def test_a_training_set_misses_what_it_lost(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: str
) -> None:
    shard = tmp_path / "shards/m2/0.json"
    if loss == "shard":
        shutil.rmtree(shard.parent)
    elif loss == "arrays":
        shutil.rmtree(array_folder(shard))
    elif loss == "index":
        flip(material["folder"] / INDEX)
    else:
        write(shard, list("abcdef"), source="m2")
    assert run("verify", material["folder"] / MANIFEST) == 1
    output = capsys.readouterr().out
    assert {"shard": "m2/0.json", "arrays": "0.zarr", "index": INDEX, "made anew": "made anew"}[loss] in output


def test_documents_that_are_no_manifests_are_passed_over_in_folders_but_not_when_named(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shards/m1/other.json").write_text('{"images": {}}')
    assert run("verify", tmp_path / "shards") == 0
    assert run("verify", tmp_path / "shards/m1/other.json") == 1
    (tmp_path / "shards/m1/cut.json").write_text('{"embedder": {')
    assert run("verify", tmp_path / "shards") == 1
    assert "m1/cut.json" in capsys.readouterr().out


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A model, a fused one, and what a killed training left."""
    nouns = ("cat", "dog", "owl")
    shared = {"lexicon_path": "nouns.parquet", "nouns": nouns, "samples": 1}
    shared |= {"embedder": identity(), "lexicon": lexicon_digest(nouns), "settings": {}}
    weights = {"weight": torch.ones(3, DIM)}
    write_predictor(tmp_path / "models/head/manifest.json", weights, run="head", predictor="head", **shared)
    rule = FusedRule(
        parts=(), none=0.0, candidates=1, training_set="", noise={}, seed=1, texts=1, log_likelihood=0.0, top1=0.0
    )
    write_fused(tmp_path / "models/fused/manifest.json", rule, run="fused", predictor="fused", **shared)
    checkpoints = Checkpoints(tmp_path / "models/killed/checkpoint", {"seed": 1}, {})
    tensors = {"model.w": torch.ones(3)}
    checkpoints.save(State(1, tensors, {"w": torch.zeros(3)}, {"choice": {"samples": 1}}))
    return tmp_path / "models"


def test_models_and_checkpoints_are_verified_too(
    trained: Path, material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", trained) == 0
    assert "3 of 3 whole" in capsys.readouterr().out
    assert run("show", tmp_path) == 0  # a folder of everything: shards are shown
    assert "16 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("head/weights.safetensors", "weights are missing or not those"),
        ("fused/rule.json", "weights are missing or not those"),
        ("killed/checkpoint/step-000000001.safetensors", "tensors are missing or not those"),
        ("killed/checkpoint/best-000000000001.safetensors", "tensors are missing or not those"),
    ],
)
@pytest.mark.parametrize("loss", ["flipped", "gone"])
def test_damaged_weights_and_tensors_are_named(
    trained: Path, capsys: pytest.CaptureFixture[str], file: str, reason: str, loss: str
) -> None:
    flip(trained / file) if loss == "flipped" else (trained / file).unlink()
    assert run("verify", trained) == 1
    output = capsys.readouterr().out
    assert "\n2 of " in output
    assert file in output
    assert reason in output


@pytest.mark.parametrize(
    ("old", "new"), [('"step": 1', '"step": 7'), ('"seal"', '"sael"'), ('"format": 2', '"format": 1')]
)
def test_an_edited_checkpoint_is_bad(trained: Path, capsys: pytest.CaptureFixture[str], old: str, new: str) -> None:
    path = trained / "killed/checkpoint/checkpoint.json"
    path.write_text(path.read_text().replace(old, new))
    assert run("verify", trained) == 1
    assert f"bad: {path}" in capsys.readouterr().out


def test_verifying_nothing_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", tmp_path) == 1
    assert "nothing to check" in capsys.readouterr().err


# --- show ---


def test_show_names_rows_type_bytes_and_embedder(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "shards/m3/0.json", list("abcd"), source="m3", dtype="int8")
    assert run("show", tmp_path / "shards") == 0
    output = capsys.readouterr().out
    assert "int8" in output
    assert "bundled:test, fp32" in output
    assert "20 rows" in output
    taken = sum(path.stat().st_size for path in (tmp_path / "shards").rglob("*") if path.is_file())
    assert f"{taken / 20:,.1f} bytes each" in output


def test_show_without_shards_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", tmp_path) == 1
    assert "no shards" in capsys.readouterr().err


# --- export ---


def test_exports_hold_all_rows_in_order(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = np.concatenate([unit_rows(5, 1), unit_rows(5, 2)]).astype(np.float16)
    assert run("export", tmp_path / "shards/m1", "--out", tmp_path / "m1.npy") == 0
    assert np.array_equal(np.load(tmp_path / "m1.npy"), expected)
    arguments = ("--out", tmp_path / "m1.parquet", "--captions", tmp_path / "captions/m1.parquet")
    assert run("export", tmp_path / "shards/m1", *arguments) == 0
    table = pl.read_parquet(tmp_path / "m1.parquet")
    assert table["text"].to_list() == [f"m1 text {i}" for i in range(10)]
    assert table["row"].to_list() == list(range(10))
    assert np.array_equal(table["vector"].to_numpy().astype(np.float16), expected)


@pytest.mark.parametrize("name", ["out.npy", "out.parquet"])
def test_nothing_is_exported_from_a_damaged_shard(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    flip(vectors_file(tmp_path / "shards/m1/1.json"))
    assert run("export", tmp_path / "shards/m1", "--out", tmp_path / name) == 1
    assert "m1/1.zarr" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_an_export_refuses_mixed_embedders_other_captions_and_unknown_endings(
    material: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = tmp_path / "shards/m1"
    assert run("export", shards, "--out", tmp_path / "x.csv") == 1
    assert run("export", shards, "--out", tmp_path / "x.parquet", "--captions", tmp_path / "captions/m2.parquet") == 1
    write(shards / "2.json", ["a"], embedder=identity(digest="d9", precision="bf16"))
    assert run("export", shards, "--out", tmp_path / "x.npy") == 1
    errors = capsys.readouterr().err
    assert "end the name in .npy or .parquet" in errors
    assert "captions are not those of the shard" in errors
    assert "'bf16' against 'fp32'" in errors


# --- import of flat caches ---

NAMES = ["cat", "fire truck", "café"]
VECTORS = unit_rows(4, 9)
IDS = np.array([[1, 0], [2, 3], [3, 0], [2, 3], [1, 0]], dtype="<i4")  # records 1 and 3 are one, and so are 0 and 4
WEIGHTS = np.array([[1, 0], [0.75, 0.25], [1, 0], [0.75, 0.25], [1, 0]], dtype="<f4")
WHICH = [0, 1, 2, 1, 0]


def flat_file(
    path: Path,
    *,
    magic: bytes = b"m" * 32,
    version: int = 1,
    has_targets: bool = True,
    dim: int = DIM,
    cut: int | None = None,
    vectors: np.ndarray = VECTORS,
) -> Path:
    """A flat cache, block by block as its layout is documented."""
    strings = "\0".join(["", *NAMES]).encode()
    columns = 3
    header = magic + bytes([version]) + bytes([has_targets, False, False, True, True])
    header += hashlib.sha256(b"embedder").digest() + hashlib.sha256(b"targets").digest()
    header += struct.pack("<IIHHHIHHHH", len(NAMES) + 1, len(strings), columns, 2, 0, len(WHICH), 2, 2, dim, 2)
    assert len(header) == 128
    token_ids = np.arange((len(NAMES) + 1) * columns, dtype="<i4")
    padding = np.zeros((len(NAMES) + 1) * columns, dtype=bool)
    blocks: list[bytes | np.ndarray] = [header, strings, token_ids, padding, IDS, WEIGHTS, vectors[WHICH].astype("<f4")]
    whole = b"".join(block if isinstance(block, bytes) else block.tobytes() for block in blocks)
    path.write_bytes(whole[:cut])
    return path


def test_a_flat_cache_becomes_a_training_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = flat_file(tmp_path / "cache.bin")
    assert run("import", flat, "--out", tmp_path / "set", "--heldout", 0) == 0
    assert "2 dropped: repeats" in capsys.readouterr().out
    opened = open_training_set(tmp_path / "set" / MANIFEST)
    assert isinstance(opened.vectors, np.ndarray)
    assert np.array_equal(opened.vectors, VECTORS[:3].astype(np.float16))
    assert opened.weights.tolist() == pytest.approx([0.4, 0.4, 0.2])
    ids, weights, offsets = opened.targets_of(np.arange(3))
    assert (ids.tolist(), offsets.tolist()) == ([0, 1, 2, 2], [0, 1, 3, 4])
    assert weights.tolist() == pytest.approx([1, 0.75, 0.25, 1])
    assert read_lexicon(tmp_path / "set/nouns.parquet")["noun"].to_list() == NAMES
    assert opened.manifest.embedder.spec == "imported"
    assert hashlib.sha256(b"embedder").hexdigest() in opened.manifest.embedder.preprocessing
    assert run("verify", tmp_path / "set") == 0
    assert run("import", flat, "--out", tmp_path / "none", "--heldout", 1) == 1
    assert "is left to train on" in capsys.readouterr().err


def test_an_import_takes_over_the_embedder_that_the_user_vouches_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "known.json", ["a"])
    flat = flat_file(tmp_path / "cache.bin")
    assert run("import", flat, "--out", tmp_path / "set", "--like", tmp_path / "known.json") == 0
    assert read_manifest(tmp_path / "set/shards/0.json").embedder == identity()
    write(tmp_path / "wide.json", ["a"], vectors=unit_rows(1, dim=16), embedder=identity(dim=16))
    assert run("import", flat, "--out", tmp_path / "other", "--like", tmp_path / "wide.json") == 1
    assert "have 8 dimensions, their embedder bundled:test has 16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": bytes(32)}, "never finished"),
        ({"cut": 100}, "never finished"),
        ({"cut": -1}, r"399 bytes where its header promises 400"),
        ({"version": 2}, "version 2, known is version 1"),
        ({"has_targets": False}, "no targets"),
        ({"dim": DIM + 1}, "bytes where its header promises"),
    ],
)
def test_a_flat_cache_that_is_not_whole_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    flat = flat_file(tmp_path / "cache.bin", **changes)
    size = flat.stat().st_size
    with pytest.raises(NounflowError, match=message.replace("399", f"{size:,}").replace("400", f"{size + 1:,}")):
        read_flat_cache(flat)


def test_a_flat_cache_with_vectors_that_are_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = VECTORS.copy()
    vectors[2] = np.nan
    assert run("import", flat_file(tmp_path / "cache.bin", vectors=vectors), "--out", tmp_path / "set") == 1
    assert "1 of 3 vectors are no unit vectors; the first: row 2" in capsys.readouterr().err
    assert not (tmp_path / "set" / MANIFEST).exists()


def test_a_missing_flat_cache_is_named(tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="cannot be read") as caught:
        read_flat_cache(tmp_path / "none.bin")
    assert not isinstance(caught.value, DamagedFileError)
