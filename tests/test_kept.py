"""What is kept in the user's cache is used, and only while it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nounflow.embedders.kept import kept


def test_a_tensor_is_made_once_and_anew_where_its_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def make() -> torch.Tensor:
        calls.append(1)
        return torch.arange(6.0).view(2, 3)

    for _ in range(3):
        assert torch.equal(kept("six", ("a",), make), torch.arange(6.0).view(2, 3))
    assert len(calls) == 1
    kept("six", ("b",), make)
    assert len(calls) == 2
    for path in (tmp_path / "nounflow").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert torch.equal(kept("six", ("a",), make), torch.arange(6.0).view(2, 3))
    assert len(calls) == 3


def test_a_user_without_a_home_is_served_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container under a number that no account has."""

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert kept("one", (), lambda: torch.ones(1)).item() == 1


def test_a_home_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nounflow").write_text("a file stands in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept("one", (), lambda: torch.ones(1)).item() == 1
