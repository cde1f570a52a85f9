"""Shards under attack: random damage, full disks, kill -9, vectors that are none; and int8 rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_material import DIM, identity, unit_rows, write

from nounflow.errors import MismatchError, NounflowError
from nounflow.schemas.embeddings import ShardManifest
from nounflow.store.rows import StoredRows, encode
from nounflow.store.shards import (
    VECTORS,
    array_folder,
    checked_rows,
    find_manifests,
    map_rows,
    read_keys,
    read_shard,
    verify_shard,
)


def files_of(manifest_path: Path) -> dict[Path, bytes]:
    files = [manifest_path, *(path for path in array_folder(manifest_path).rglob("*") if path.is_file())]
    return {path: path.read_bytes() for path in sorted(files)}


def content(manifest_path: Path) -> tuple[ShardManifest, bytes, bytes]:
    """All that a reader gets of a shard."""
    manifest, rows = read_shard(manifest_path)
    return manifest, np.asarray(rows).tobytes(), read_keys(manifest_path, manifest).tobytes()


def damaged(whole: bytes, kind: str, at: int, bit: int, extra: bytes) -> bytes:
    place = at % max(1, len(whole))
    if kind == "flip":
        return whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :]
    if kind == "cut":
        return whole[:place]
    if kind == "grow":
        return whole + extra
    return whole[:place] + extra + whole[place + len(extra) :]  # overwrite


@pytest.fixture(scope="module", params=["float16", "int8"])
def shard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[Path, bytes], tuple[ShardManifest, bytes, bytes]]:
    path = tmp_path_factory.mktemp("shard") / "7.json"
    write(path, [f"text {i}" for i in range(20)], dtype=request.param)
    return path, files_of(path), content(path)


@settings(max_examples=150, deadline=None)
@given(
    which=st.integers(0, 10),
    kind=st.sampled_from(["flip", "flip", "cut", "grow", "overwrite", "delete"]),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
    extra=st.binary(min_size=1, max_size=12),
)
def test_random_damage_to_any_file_is_found_or_changes_nothing_that_is_read(
    shard: tuple[Path, dict[Path, bytes], tuple[ShardManifest, bytes, bytes]],
    which: int,
    kind: str,
    at: int,
    bit: int,
    extra: bytes,
) -> None:
    path, whole, expected = shard
    victim = list(whole)[which % len(whole)]
    try:
        if kind == "delete":
            victim.unlink()
        else:
            victim.write_bytes(damaged(whole[victim], kind, at, bit, extra))
        try:
            found = content(path)
        except NounflowError as error:
            named = str(error)
        else:
            named = path.name if found == expected else "other content, and no word about it"
        assert path.name in named or victim.name in named
    finally:
        for file, payload in whole.items():
            file.write_bytes(payload)


def test_every_single_bit_of_the_arrays_counts(
    shard: tuple[Path, dict[Path, bytes], tuple[ShardManifest, bytes, bytes]],
) -> None:
    path, whole, _expected = shard
    for victim in whole:
        if victim == path:
            continue
        for place in range(0, len(whole[victim]), 7):
            victim.write_bytes(damaged(whole[victim], "flip", place, place % 8, b""))
            with pytest.raises(NounflowError, match=r"not those that were written"):
                verify_shard(path)
        victim.write_bytes(whole[victim])


# --- what is refused before it is written ---


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 3.0])
def test_vectors_that_are_no_unit_vectors_are_refused_by_row_and_nothing_is_written(
    tmp_path: Path, value: float
) -> None:
    vectors = unit_rows(6)
    vectors[4] = value
    with pytest.raises(NounflowError, match=r"1 of 6 vectors are no unit vectors; the first: row 4") as caught:
        write(tmp_path / "0.json", list("abcdef"), vectors=vectors)
    assert "0.json" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_text_behind_a_bad_vector_is_named() -> None:
    vectors = unit_rows(2)
    vectors[1] = np.nan
    with pytest.raises(NounflowError, match=r"row 1 \('a photo of a newt'\), norm nan"):
        encode(vectors, "float16", "0.json", ["a photo", "a photo of a newt"])


def test_a_wrong_dimension_is_refused_with_both_sides_named_and_the_old_shard_stays(tmp_path: Path) -> None:
    write(tmp_path / "0.json", ["a", "b"])
    before = content(tmp_path / "0.json")
    with pytest.raises(MismatchError, match=rf"have 16 dimensions, their embedder bundled:test has {DIM}"):
        write(tmp_path / "0.json", ["a", "b"], vectors=unit_rows(2, dim=16))
    assert content(tmp_path / "0.json") == before


# --- full disk, kill -9 ---

WRITER = """
    import sys
    sys.path.insert(0, "tests")
    from pathlib import Path
    from shard_material import unit_rows, write
    folder = Path(sys.argv[1])
"""


def child(repository: Path, script: str, folder: Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", textwrap.dedent(WRITER) + textwrap.dedent(script), str(folder)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_disk_that_fills_in_the_middle_of_a_shard_costs_that_shard_only(tmp_path: Path, repository: Path) -> None:
    """A real full disk: a tmpfs of one MB in a mount namespace of its own."""
    probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True)
    if probe.returncode:
        pytest.skip("no user namespaces here, so no small disk can be mounted")
    script = """
        import subprocess
        from nounflow.errors import NounflowError
        from nounflow.store.shards import verify_shard
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
        write(folder / "0.json", ["a", "b"])
        try:
            write(folder / "1.json", [str(i) for i in range(100_000)])
        except NounflowError as error:
            print(error)
        verify_shard(folder / "0.json")
        print(sorted(path.name for path in folder.iterdir()))
    """
    output, errors = child(repository, script, tmp_path, ("unshare", "-rm")).communicate()
    assert "No space left on the disk" in output, errors
    assert "1.zarr" in output
    assert output.splitlines()[-1] == "['0.json', '0.zarr']"


@pytest.mark.parametrize("moment", ["arrays under way", "manifest gone"])
def test_after_kill_9_a_shard_is_whole_or_has_no_manifest_and_the_others_stand(
    tmp_path: Path, repository: Path, moment: str
) -> None:
    script = """
        write(folder / "0.json", ["a", "b"])
        texts = [str(i) for i in range(30_000)]
        while True:
            write(folder / "1.json", texts)
            print("written", flush=True)
    """
    writer = child(repository, script, tmp_path)
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            partial = any(path.name.endswith(".partial") for path in tmp_path.iterdir())
            if partial if moment == "arrays under way" else not (tmp_path / "1.json").exists():
                break
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    verify_shard(tmp_path / "0.json")
    for path in find_manifests(tmp_path):
        verify_shard(path)
    write(tmp_path / "1.json", ["c"])
    assert [path.name for path in find_manifests(tmp_path)] == ["0.json", "1.json"]
    verify_shard(tmp_path / "1.json")


# --- int8 ---


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), dim=st.sampled_from([2, 64, 384, 768]))
def test_int8_rows_point_almost_where_they_pointed(seed: int, dim: int) -> None:
    vectors = unit_rows(50, seed, dim)
    decoded = encode(vectors, "int8", "x")[:].astype(np.float64)
    cosine = (decoded * vectors).sum(1) / np.linalg.norm(decoded, axis=1)
    assert cosine.min() > 0.9999
    step = np.abs(vectors).max(1, keepdims=True) / 127
    assert (np.abs(decoded - vectors) <= step / 2 + 1e-3 * np.abs(vectors)).all()  # and float16's own rounding


def test_what_was_read_stays_when_its_file_is_cut_off(tmp_path: Path) -> None:
    vectors = unit_rows(1000, 5, 384)
    write(tmp_path / "0.json", [str(i) for i in range(1000)], vectors=vectors, embedder=identity(dim=384))
    _manifest, rows = read_shard(tmp_path / "0.json")
    (array_folder(tmp_path / "0.json") / VECTORS).write_bytes(b"")
    assert np.array_equal(rows, vectors.astype(np.float16))


def test_an_int8_shard_reads_alike_mapped_indexed_and_in_one_pass(tmp_path: Path) -> None:
    vectors = unit_rows(1000, 5, 384)
    write(tmp_path / "0.json", [str(i) for i in range(1000)], vectors=vectors, dtype="int8", embedder=identity(dim=384))
    manifest, rows = read_shard(tmp_path / "0.json")
    expected = encode(vectors, "int8", "x")[:]
    assert np.array_equal(rows, expected)
    mapped = map_rows(tmp_path / "0.json", manifest)
    assert isinstance(mapped, StoredRows)
    assert np.array_equal(mapped[np.array([7, 3])], expected[[7, 3]])
    assert np.array_equal(
        np.concatenate([block[:] for _start, block in checked_rows(tmp_path / "0.json", manifest)]), expected
    )


@pytest.mark.parametrize(("dtype", "most"), [("float16", 1560), ("int8", 800)])
def test_a_text_takes_few_bytes_all_files_counted(tmp_path: Path, dtype: str, most: int) -> None:
    n = 4000
    write(
        tmp_path / "0.json", [str(i) for i in range(n)], vectors=unit_rows(n, dim=768), dtype=dtype,
        embedder=identity(dim=768),
    )  # fmt: skip
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert taken / n <= most
