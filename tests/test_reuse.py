"""Which texts a job takes, and which of them it embeds: token-balanced shards, vectors copied from whole shards."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shard_material import DIM, identity, unit_rows, vectors_file, write, write_nouns

from nounflow.config.embedder import FAMILIES, EmbedderConfig
from nounflow.embedders.minilm_tokenizer import load_tokenizer as load_word_pieces
from nounflow.embedders.text_shards import shard_bounds, shard_texts
from nounflow.errors import NounflowError
from nounflow.fingerprint import PACKAGE
from nounflow.schemas.tables import CAPTIONS, write_table
from nounflow.store.reuse import VectorOrigin, computation, copy_known
from nounflow.store.rows import StoredRows, encode
from nounflow.store.shards import array_folder, read_manifest
from nounflow.store.texts import text_keys

WORDS = "a photo of an old owl that sits on the branch of some tall tree beside one wide river at night"
COMPUTED = {"machine": "cpu: AVX2, 1 threads", "torch": "2", "code": "c"}
ORIGIN = VectorOrigin(identity(), "float16", 64, COMPUTED)


def write_captions(path: Path, texts: list[str]) -> None:
    n = len(texts)
    columns = {
        "text": texts, "targets": [[0]] * n, "target_weights": [[1.0]] * n, "weight": [1.0] * n, "template": ["t"] * n,
    }  # fmt: skip
    write_table(path, pl.DataFrame(columns, strict=False), CAPTIONS)


# --- scatter ---


@settings(max_examples=100, deadline=None)
@example(lengths=[110, 110, 0, 103], shards=3)
@given(lengths=st.lists(st.integers(0, 400), max_size=300), shards=st.integers(1, 12))
def test_shards_cover_all_rows_in_order_and_differ_by_two_texts_at_most(lengths: list[int], shards: int) -> None:
    bounds = shard_bounds(np.array(lengths, dtype=np.int32), shards)
    assert bounds[0] == 0
    assert bounds[-1] == len(lengths)
    assert (np.diff(bounds) >= 0).all()
    cost = np.array(lengths) + 8
    shares = [cost[first:last].sum() for first, last in itertools.pairwise(bounds)]
    if lengths:
        assert max(shares) - min(shares) <= 2 * cost.max() + 1  # even shares are rounded to whole bytes


def test_jobs_take_alike_in_tokens_where_long_texts_stand_together(tmp_path: Path) -> None:
    words = WORDS.split(" ")
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, 4 + 12 * i // 4000)) for i in range(4000)]  # ever longer
    write_captions(tmp_path / "m1.parquet", texts)
    taken = [shard_texts(tmp_path / "m1.parquet", shard, 5) for shard in range(5)]
    assert [text for _rows, _start, part in taken for text in part] == texts
    assert [start for _rows, start, _part in taken] == np.cumsum([0, *(len(part) for *_, part in taken[:-1])]).tolist()
    tokens = np.array([sum(map(len, load_word_pieces("").tokens(part))) for _rows, _start, part in taken])
    assert tokens.max() / tokens.min() < 1.1
    rows = np.array([len(part) for _rows, _start, part in taken])
    assert rows.max() / rows.min() > 1.5  # what equal numbers of rows would have been off by


def test_a_shard_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_captions(tmp_path / "m1.parquet", ["a"])
    with pytest.raises(NounflowError, match="no shard 2 of 2"):
        shard_texts(tmp_path / "m1.parquet", 2, 2)


def test_more_shards_than_texts_leave_some_empty(tmp_path: Path) -> None:
    write_captions(tmp_path / "m1.parquet", ["a", "b"])
    parts = [shard_texts(tmp_path / "m1.parquet", shard, 5)[2] for shard in range(5)]
    assert [text for part in parts for text in part] == ["a", "b"]


# --- finding known texts ---


@settings(max_examples=60, deadline=None)
@given(
    stand=st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), max_size=4),
    wanted=st.lists(st.integers(0, 30), unique=True, max_size=20),
)
def test_every_known_text_gets_its_own_vector_and_no_other_text_gets_one(
    tmp_path_factory: pytest.TempPathFactory, stand: list[list[int]], wanted: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("known")
    vector_of = unit_rows(31, 3)
    for number, numbers in enumerate(stand):
        write(folder / f"{number}.json", [f"text {i}" for i in numbers], vectors=vector_of[numbers], computed=COMPUTED)
    out = StoredRows.empty(len(wanted), DIM, "float16")
    found = copy_known(text_keys(f"text {i}" for i in wanted), ORIGIN, [folder], out)
    assert found.tolist() == [any(i in numbers for numbers in stand) for i in wanted]
    assert np.array_equal(out.values[found], vector_of[wanted][found].astype(np.float16))


@pytest.mark.parametrize(
    "origin",
    [
        VectorOrigin(identity(digest="another", weights="w2"), "float16", 64, COMPUTED),
        VectorOrigin(identity(), "int8", 64, COMPUTED),
        VectorOrigin(identity(), "float16", 128, COMPUTED),
        VectorOrigin(identity(), "float16", 64, {**COMPUTED, "torch": "3"}),
    ],
)
def test_vectors_of_another_origin_are_not_taken(tmp_path: Path, origin: VectorOrigin) -> None:
    write(tmp_path / "0.json", ["a", "b"], computed=COMPUTED)
    keys = text_keys(["a", "b"])
    assert copy_known(keys, ORIGIN, [tmp_path], StoredRows.empty(2, DIM, "float16")).all()
    assert not copy_known(keys, origin, [tmp_path], StoredRows.empty(2, DIM, origin.dtype)).any()


def test_int8_rows_are_taken_as_they_lie(tmp_path: Path) -> None:
    texts = [str(i) for i in range(50)]
    write(tmp_path / "0.json", texts, computed=COMPUTED, dtype="int8")
    out = StoredRows.empty(50, DIM, "int8")
    origin = VectorOrigin(identity(), "int8", 64, COMPUTED)
    assert copy_known(text_keys(reversed(texts)), origin, [tmp_path], out).all()
    expected = encode(unit_rows(50), "int8", "x")
    assert np.array_equal(out.values[::-1], expected.values)
    assert out.scales is not None
    assert expected.scales is not None
    assert np.array_equal(out.scales[::-1], expected.scales)


@pytest.mark.parametrize("victim", ["vectors/c/0/0", "keys/c/0/0"])
def test_a_damaged_shard_is_named_and_its_texts_come_from_another_one(
    tmp_path: Path, victim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = unit_rows(2, 1), unit_rows(2, 2)
    write(tmp_path / "0.json", ["a", "b"], vectors=bad, computed=COMPUTED)
    write(tmp_path / "1.json", ["b", "c"], vectors=good, computed=COMPUTED)
    chunk = array_folder(tmp_path / "0.json") / victim
    payload = bytearray(chunk.read_bytes())
    payload[0] ^= 1
    chunk.write_bytes(payload)
    out = StoredRows.empty(3, DIM, "float16")
    found = copy_known(text_keys(["a", "b", "c"]), ORIGIN, [tmp_path], out)
    assert found.tolist() == [False, True, True]
    assert np.array_equal(out.values[1:], good.astype(np.float16))
    assert f"0.zarr/{victim}" in capsys.readouterr().out


@pytest.mark.parametrize("state", ["no manifest", "arrays being replaced", "half-written folder", "no such folder"])
def test_shards_that_other_jobs_are_writing_are_passed_over(tmp_path: Path, state: str) -> None:
    path = tmp_path / "0.json"
    write(path, ["a"], computed=COMPUTED)
    if state == "no manifest":
        path.unlink()
    elif state == "arrays being replaced":
        shutil.rmtree(array_folder(path))
    elif state == "half-written folder":
        array_folder(path).rename(tmp_path / ".0.zarr.abc.partial")
        path.unlink()
    folder = tmp_path / "elsewhere" if state == "no such folder" else tmp_path
    assert not copy_known(text_keys(["a"]), ORIGIN, [folder], StoredRows.empty(1, DIM, "float16")).any()


# --- the stage, with the real embedder ---


@pytest.fixture(scope="module")
def stage(repository: Path) -> Callable[..., None]:
    spec = importlib.util.spec_from_file_location("embed_texts", repository / "workflow_scripts/embed_texts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[..., None] = module.main
    return main


def embed(
    stage: Callable[..., None],
    folder: Path,
    texts: list[str],
    *,
    known: Iterable[Path] = (),
    shard: int = 0,
    shards: int = 1,
    **settings: Any,
) -> tuple[dict[Path, bytes], dict[str, Any]]:
    """Run the stage on some texts; gives the shard's files and how many texts were embedded."""
    write_captions(folder / "m1.parquet", texts)
    write_nouns(folder / "nouns.parquet")
    out = folder / f"shards/{shard}.json"
    stage(
        captions=folder / "m1.parquet", nouns=folder / "nouns.parquet", source="m1", shard=shard, shards=shards,
        known=list(known), embedder=EmbedderConfig(spec="bundled:minilm-conse", batch_tokens=256, **settings),
        device="cpu", threads=1, out=out, counts=folder / f"{shard}.counts.json",
    )  # fmt: skip
    files = {path.relative_to(folder): path.read_bytes() for path in folder.glob("shards/**/*") if path.is_file()}
    return files, json.loads((folder / f"{shard}.counts.json").read_text())["flows"][1]


OLD = [f"a photo of {i} {noun}" for i in range(40) for noun in ("owls", "cats")]
NEW = [f"a big {noun} number {i}" for i in range(30) for noun in ("owl", "fire truck")]


@pytest.mark.parametrize("options", [{"precision": "fp32"}, {"precision": "bf16"}, {"dtype": "int8"}])
def test_a_shard_with_copied_vectors_has_the_bytes_of_one_embedded_anew(
    stage: Callable[..., None], tmp_path: Path, options: dict[str, Any]
) -> None:
    mixed = [text for pair in zip(NEW, OLD, strict=False) for text in pair]
    embed(stage, tmp_path / "old", OLD, **options)
    anew, counted = embed(stage, tmp_path / "anew", mixed, **options)
    assert counted["out"] == len(mixed)
    reused, counted = embed(stage, tmp_path / "reused", mixed, known=[tmp_path / "old"], **options)
    assert counted["out"] == len(mixed) // 2
    assert sum(counted["dropped"].values()) == len(mixed) // 2
    assert reused == anew


def test_a_job_finds_texts_in_the_shard_that_it_replaces(stage: Callable[..., None], tmp_path: Path) -> None:
    first, _ = embed(stage, tmp_path, OLD)
    second, counted = embed(stage, tmp_path, OLD, known=[tmp_path / "shards"])
    assert counted["out"] == 0
    assert first == second


def test_a_shard_is_part_of_the_whole_source_and_says_which(stage: Callable[..., None], tmp_path: Path) -> None:
    embed(stage, tmp_path / "whole", OLD)
    for shard in (0, 1):
        embed(stage, tmp_path / "parts", OLD, shard=shard, shards=2)
    paths = [tmp_path / f"parts/shards/{shard}.json" for shard in (0, 1)]
    halves = [read_manifest(path) for path in paths]
    assert [half.start for half in halves] == [0, halves[0].rows]
    joined = b"".join(vectors_file(path).read_bytes()[:-4] for path in paths)
    assert joined == vectors_file(tmp_path / "whole/shards/0.json").read_bytes()[:-4]


def test_code_of_the_embedders_decides_about_reuse_and_other_code_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nounflow"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("nounflow.fingerprint.PACKAGE", package)
    monkeypatch.setattr("nounflow.store.reuse.PACKAGE", package)
    before = computation(FAMILIES["bundled"], "cpu")
    for path in ("files.py", "store/shards.py"):
        (package / path).write_text((package / path).read_text() + "\nA_NEW_CONSTANT = 1\n")
    assert computation(FAMILIES["bundled"], "cpu") == before
    other_family = package / "embedders/openclip.py"
    other_family.write_text(other_family.read_text() + "\nA_NEW_CONSTANT = 1\n")
    assert computation(FAMILIES["bundled"], "cpu") == before
    for path in ("embedders/minilm.py", "store/rows.py"):  # the tower, and how its vectors are rounded
        text = (package / path).read_text()
        (package / path).write_text(text + "\nA_NEW_CONSTANT = 1\n")
        assert computation(FAMILIES["bundled"], "cpu") != before
        (package / path).write_text(text)
    assert computation(FAMILIES["bundled"], "cpu") == before
