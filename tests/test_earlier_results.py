"""What stood before a run comes back when its job fails; what kill -9 left behind goes."""

from __future__ import annotations

import base64
import os
import shutil
import time
from pathlib import Path

import pytest

from nounflow.atomic import remove_leftovers
from nounflow.earlier_results import EarlierResults


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EarlierResults:
    """Two shards that Snakemake has records of, one a folder of its own, one a link into a cache."""
    monkeypatch.chdir(tmp_path)
    results, cache = tmp_path / "results", tmp_path / "cache"
    for folder in (results / "own.zarr/c", cache / "shared.zarr/c"):
        folder.mkdir(parents=True)
        (folder / "0").write_bytes(b"vectors")
    (cache / "shared.json").write_text("{}")
    (results / "shared.zarr").symlink_to(cache / "shared.zarr")
    (results / "shared.json").symlink_to(cache / "shared.json")
    (results / "own.json").write_text("{}")
    for name in ("own.zarr", "own.json", "shared.zarr", "shared.json"):
        record = tmp_path / "records" / base64.urlsafe_b64encode(f"results/{name}".encode()).decode()
        record.parent.mkdir(exist_ok=True)
        record.write_text("how it was made")
    earlier = EarlierResults(
        results.relative_to(tmp_path), (tmp_path / "records").relative_to(tmp_path), tmp_path / "results/.earlier"
    )
    earlier.keep()
    return earlier


def test_files_folders_and_links_that_a_failed_run_has_lost_are_put_back_as_they_were(
    kept: EarlierResults, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    shutil.rmtree(results / "own.zarr")
    for name in ("own.json", "shared.zarr", "shared.json"):
        (results / name).unlink()
    assert len(kept.restore()) == 4
    assert (results / "own.zarr/c/0").read_bytes() == b"vectors"
    assert (results / "shared.zarr").readlink() == tmp_path / "cache/shared.zarr"
    assert (results / "shared.zarr/c/0").read_bytes() == b"vectors"
    assert (results / "shared.json").is_symlink()
    assert not (results / ".earlier").exists()


def test_what_a_run_has_replaced_stays_replaced(kept: EarlierResults, tmp_path: Path) -> None:
    (tmp_path / "results/own.json").unlink()
    (tmp_path / "results/own.json").write_text("new")
    assert kept.restore() == []
    assert (tmp_path / "results/own.json").read_text() == "new"


def test_only_old_temporary_files_and_folders_are_leftovers(tmp_path: Path) -> None:
    names = (".a.json.x1.partial", ".b.zarr.x2.partial", ".young.x3.partial", "c.json")
    for name in names:
        path = tmp_path / "deep" / name
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if "zarr" in name else path.write_text("x")
        if "young" not in name:
            os.utime(path, (time.time() - 90_000,) * 2)
    assert [path.name for path in remove_leftovers(tmp_path)] == [".a.json.x1.partial", ".b.zarr.x2.partial"]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == [".young.x3.partial", "c.json"]
