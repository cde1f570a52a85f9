"""Shards and training sets: exact round trips, every kind of damage found, nothing mixed that does not belong."""

from __future__ import annotations

import functools
import hashlib
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_material import DIM, identity, make_material, rewrite, unit_rows, vectors_file, write

from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.files import sha256_text
from nounflow.schemas.tables import CAPTIONS, INDEX, SAMPLES, read_columns, read_table
from nounflow.store.merging import MANIFEST, merge
from nounflow.store.shards import array_folder, check_identity, read_shard
from nounflow.store.texts import closed_bytes, text_keys
from nounflow.store.training_set import open_training_set


@pytest.fixture
def material(tmp_path: Path) -> dict[str, Any]:
    """A lexicon, two sources of captions, three shards: what `merge` takes."""
    return make_material(tmp_path)


# --- shards ---


def test_a_shard_gives_back_the_exact_bytes(tmp_path: Path) -> None:
    vectors = unit_rows(100)
    write(tmp_path / "0.json", [str(i) for i in range(100)], vectors=vectors)
    manifest, read = read_shard(tmp_path / "0.json")
    assert isinstance(read, np.ndarray)
    assert read.dtype == np.float16
    assert np.array_equal(read, vectors.astype(np.float16))
    assert (manifest.rows, manifest.dim, manifest.dtype) == (100, DIM, "float16")


def test_zarr_itself_reads_a_shard(tmp_path: Path) -> None:
    vectors = unit_rows(10)
    write(tmp_path / "0.json", [str(i) for i in range(10)], vectors=vectors)
    group = zarr.open_group(str(array_folder(tmp_path / "0.json")), mode="r")
    stored = group["vectors"]
    assert isinstance(stored, zarr.Array)
    assert stored.chunks == (10, DIM)
    assert np.array_equal(np.asarray(stored), vectors.astype(np.float16))
    assert np.array_equal(np.asarray(group["keys"]), text_keys([str(i) for i in range(10)]))


def test_an_empty_shard_is_legal(tmp_path: Path) -> None:
    write(tmp_path / "0.json", [], vectors=np.zeros((0, DIM)))
    assert read_shard(tmp_path / "0.json")[1].shape == (0, DIM)


@pytest.mark.parametrize("damage", ["flip first", "flip last", "truncate", "empty", "delete chunk", "delete store"])
def test_every_damage_to_a_shard_is_found_and_named(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "0.json", [str(i) for i in range(50)])
    store = array_folder(tmp_path / "0.json")
    chunk = vectors_file(tmp_path / "0.json")
    payload = bytearray(chunk.read_bytes())
    if damage == "flip first":
        payload[0] ^= 1
        chunk.write_bytes(payload)
    elif damage == "flip last":
        payload[-5] ^= 128  # the last payload byte, before the checksum
        chunk.write_bytes(payload)
    elif damage == "truncate":
        chunk.write_bytes(payload[:-1])
    elif damage == "empty":
        chunk.write_bytes(b"")
    elif damage == "delete chunk":
        chunk.unlink()
    else:
        shutil.rmtree(store)
    with pytest.raises(DamagedFileError) as caught:
        read_shard(tmp_path / "0.json")
    assert "0.zarr" in str(caught.value)
    assert "delete 0.json" in str(caught.value)


def test_a_manifest_cut_short_is_named(tmp_path: Path) -> None:
    write(tmp_path / "0.json", ["a"])
    text = (tmp_path / "0.json").read_text()
    (tmp_path / "0.json").write_text(text[: len(text) // 2])
    with pytest.raises(NounflowError, match="not readable JSON"):
        read_shard(tmp_path / "0.json")


def test_a_killed_write_leaves_no_manifest_beside_a_new_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "0.json"
    write(path, ["a", "b"])

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nounflow.store.shard_writing.write_document", killed)
    with pytest.raises(KeyboardInterrupt):
        write(path, ["c", "d"], vectors=unit_rows(2, 9))
    assert not path.exists()


def test_the_same_vectors_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "0.json", ["x", "y"])
    assert (tmp_path / "a/0.json").read_bytes() == (tmp_path / "b/0.json").read_bytes()
    first, second = (array_folder(tmp_path / name / "0.json") for name in ("a", "b"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in files)


def test_another_embedder_is_refused_with_both_sides_named() -> None:
    with pytest.raises(MismatchError) as caught:
        check_identity(identity(spec="openclip:other", digest="d1"), identity(), "here.json", "there.json")
    message = str(caught.value)
    assert "openclip:other" in message
    assert "bundled:test" in message
    assert "here.json against there.json" in message


# --- training sets ---


def test_a_training_set_gives_each_text_its_vector_and_targets(material: dict[str, Any]) -> None:
    merge(**material)
    opened = open_training_set(material["folder"] / MANIFEST)
    expected = np.concatenate([unit_rows(5, 1), unit_rows(5, 2), unit_rows(6, 3)]).astype(np.float16)
    assert isinstance(opened.vectors, np.ndarray)
    assert np.array_equal(opened.vectors, expected)
    targets, weights, offsets = opened.targets_of(np.array([11, 0]))
    assert targets.tolist() == [1, 2, 0]
    assert weights.tolist() == [0.5, 0.5, 1.0]
    assert offsets.tolist() == [0, 2, 3]


def test_each_source_has_its_share_of_the_training_weight(material: dict[str, Any]) -> None:
    merge(**material)
    opened = open_training_set(material["folder"] / MANIFEST)
    from_m2 = opened.sources == 2
    assert opened.weights.sum() == pytest.approx(1.0, abs=1e-6)
    assert opened.weights[from_m2].sum() == pytest.approx(0.75, abs=1e-6)
    assert (opened.weights[opened.heldout] == 0).all()
    assert 0 < opened.heldout.sum() < len(opened.heldout)


def test_samples_are_drawn_by_weight(material: dict[str, Any]) -> None:
    merge(**material)
    opened = open_training_set(material["folder"] / MANIFEST)
    drawn = np.bincount(opened.draw(np.random.default_rng(0), 200_000), minlength=16) / 200_000
    assert np.abs(drawn - opened.weights).max() < 0.005


def test_merging_copies_no_vectors(material: dict[str, Any]) -> None:
    merge(**material)
    assert sorted(path.name for path in material["folder"].iterdir()) == [INDEX, MANIFEST]


def test_merging_twice_gives_the_same_bytes(material: dict[str, Any]) -> None:
    merge(**material)
    first = (material["folder"] / INDEX).read_bytes(), (material["folder"] / MANIFEST).read_bytes()
    merge(**material)
    assert first == ((material["folder"] / INDEX).read_bytes(), (material["folder"] / MANIFEST).read_bytes())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedder": identity(digest="other", precision="bf16").model_dump()}, "another embedder"),
        ({"lexicon": "0" * 64}, "another lexicon"),
        ({"embedder": identity(dim=16).model_dump()}, "8 dimensions, its embedder 16"),
        ({"texts": "0" * 64}, "does not hold rows"),
        ({"source": "m3"}, "does not hold rows"),
        ({"start": 4}, "does not hold rows"),
    ],
)
def test_a_shard_that_does_not_belong_is_refused_by_name(
    material: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    shard = material["shard_manifests"]["m1"][1]
    rewrite(shard, **changes)
    with pytest.raises(MismatchError, match=message) as caught:
        merge(**material)
    assert "shards/m1/1.json" in str(caught.value)
    assert not (material["folder"] / MANIFEST).exists()


@pytest.mark.parametrize("memory", [None, 0])
def test_a_shard_damaged_before_or_after_merging_is_refused_by_name_before_training(
    material: dict[str, Any], memory: int | None
) -> None:
    chunk = vectors_file(material["shard_manifests"]["m2"][0])
    payload = bytearray(chunk.read_bytes())
    payload[3] ^= 4
    chunk.write_bytes(payload)
    merge(**material)  # reads no vectors
    with pytest.raises(DamagedFileError, match="not those that were written") as caught:
        open_training_set(material["folder"] / MANIFEST, memory=memory)
    assert "m2/0.zarr/vectors" in str(caught.value)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_shard_that_lacks_bytes_is_refused_when_merging(
    material: dict[str, Any], damage: Callable[[Path], object]
) -> None:
    damage(vectors_file(material["shard_manifests"]["m2"][0]))
    with pytest.raises(DamagedFileError, match=r"missing|promises"):
        merge(**material)


def test_damaged_keys_are_refused_when_merging(material: dict[str, Any]) -> None:
    chunk = array_folder(material["shard_manifests"]["m2"][0]) / "keys/c/0/0"
    payload = bytearray(chunk.read_bytes())
    payload[3] ^= 4
    chunk.write_bytes(payload)
    with pytest.raises(DamagedFileError, match="not those that were written"):
        merge(**material)


def test_a_missing_shard_is_noticed_by_its_rows(material: dict[str, Any]) -> None:
    material["shard_manifests"]["m1"].pop()
    with pytest.raises(MismatchError, match="hold 5 rows, its captions file 10"):
        merge(**material)


def test_a_shard_made_anew_after_merging_is_noticed(material: dict[str, Any]) -> None:
    merge(**material)
    texts = read_table(material["captions"]["m2"], CAPTIONS, "captions")["text"].to_list()
    write(material["shard_manifests"]["m2"][0], texts, vectors=unit_rows(6, 77), source="m2")
    with pytest.raises(MismatchError, match="made anew"):
        open_training_set(material["folder"] / MANIFEST)


def test_a_changed_index_is_noticed(material: dict[str, Any]) -> None:
    merge(**material)
    index = material["folder"] / INDEX
    index.write_bytes(index.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedFileError, match="index of a training set"):
        open_training_set(material["folder"] / MANIFEST)


def test_the_held_out_texts_do_not_depend_on_the_other_texts(material: dict[str, Any], tmp_path: Path) -> None:
    merge(**material)
    both = open_training_set(material["folder"] / MANIFEST)
    merge(**{**material, "folder": tmp_path / "m1_only", "mixture": {"m1": 1.0}})
    alone = open_training_set(tmp_path / "m1_only" / MANIFEST)
    assert np.array_equal(alone.heldout, both.heldout[:10])


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=12), max_size=30), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_the_digest_of_texts_is_the_same_in_batches(texts: list[str], cuts: list[int]) -> None:
    running = hashlib.sha256()
    column = pa.array(texts, pa.string())
    for first, last in itertools.pairwise(sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})):
        running.update(closed_bytes(column.slice(first, last - first)))
    assert running.hexdigest() == sha256_text(*texts)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_the_index_is_that_of_a_plain_loop_over_all_captions_whatever_the_batches(
    material: dict[str, Any], monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr("nounflow.store.merging.read_columns", functools.partial(read_columns, rows=rows))
    merge(**material)
    expected: list[dict[str, Any]] = []
    share = {"m1": 0.25, "m2": 0.75}
    for source, bounds in (("m1", [(0, 0, 5), (1, 5, 10)]), ("m2", [(2, 0, 6)])):
        captions = read_table(material["captions"][source], CAPTIONS, "captions").to_dicts()
        held = [int.from_bytes(text_keys([row["text"]])[0, :8].tobytes(), "little") < 2**62 for row in captions]
        total = sum(row["weight"] for row, out in zip(captions, held, strict=True) if not out)
        for shard, first, last in bounds:
            for row, out in zip(captions[first:last], held[first:last], strict=True):
                place = sum(1 for other in expected if other["shard"] == shard)
                weight = np.float32(0 if out else row["weight"] / total * share[source])
                expected.append(
                    {
                        "shard": shard, "row": place, "targets": row["targets"],
                        "target_weights": row["target_weights"], "weight": weight, "heldout": out,
                    }
                )  # fmt: skip
    index = read_table(material["folder"] / INDEX, SAMPLES, "index").to_dicts()
    for found, wanted in zip(index, expected, strict=True):
        assert found.pop("weight") == pytest.approx(float(wanted.pop("weight")), rel=1e-6)
        assert found == wanted


def test_a_source_without_a_text_to_train_on_is_named(material: dict[str, Any]) -> None:
    with pytest.raises(NounflowError, match="No text of 'm1' is left to train on: all 10"):
        merge(**{**material, "heldout_share": 0.999999999})


def test_an_int8_training_set_opens_as_float16(material: dict[str, Any]) -> None:
    for source, seed in (("m1", 1), ("m2", 3)):
        texts = read_table(material["captions"][source], CAPTIONS, "captions")["text"].to_list()
        path = material["shard_manifests"][source][0]
        material["shard_manifests"][source] = [path]
        write(path, texts, vectors=unit_rows(len(texts), seed), source=source, dtype="int8")
    merge(**material)
    opened = open_training_set(material["folder"] / MANIFEST)
    assert opened.vectors.dtype == np.float16
    assert np.abs(opened.vectors[np.arange(10)].astype(np.float64) - unit_rows(10, 1)).max() < 0.005
