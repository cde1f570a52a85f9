"""Files that only grow: what is wrong with them is said, and nothing is silently begun anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nounflow.annotation.log import DecisionLog
from nounflow.errors import NounflowError
from nounflow.llm.ledger import Ledger

JOURNALS = [Ledger.open, DecisionLog.open]


@pytest.mark.parametrize("open_journal", JOURNALS)
def test_a_new_one_is_made_where_there_is_none(tmp_path: Path, open_journal: Callable[[Path], Any]) -> None:
    for _ in range(2):
        with open_journal(tmp_path / "new/journal.sqlite"):
            pass


def _blank(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM")


@pytest.mark.parametrize("open_journal", JOURNALS)
@pytest.mark.parametrize("emptied", [lambda path: path.write_bytes(b""), _blank])
def test_an_emptied_one_is_refused_and_not_begun_anew(
    tmp_path: Path, open_journal: Callable[[Path], Any], emptied: Callable[[Path], object]
) -> None:
    path = tmp_path / "journal.sqlite"
    with open_journal(path):
        pass
    for beside in tmp_path.glob("journal.sqlite-*"):
        beside.unlink()
    emptied(path)
    before = path.read_bytes()
    with pytest.raises(NounflowError) as caught:
        open_journal(path)
    assert "was emptied" in str(caught.value)
    assert "restore it from a copy" in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("open_journal", JOURNALS)
@pytest.mark.parametrize("words", ["locking protocol", "disk I/O error", "database is locked"])
def test_a_file_system_that_can_less_is_one_message_with_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_journal: Callable[[Path], Any], words: str
) -> None:
    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise sqlite3.OperationalError(words)

    monkeypatch.setattr("nounflow.journal.sqlite3.connect", refuse)
    with pytest.raises(NounflowError) as caught:
        open_journal(tmp_path / "journal.sqlite")
    assert words in str(caught.value)
    assert "local disk" in str(caught.value)
    assert "journal.sqlite" in str(caught.value)
