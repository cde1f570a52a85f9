"""A ledger from before there were batches."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from llm_asking import ask, batch_config, config, questions, right, words
from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import question_of

OLD_SCHEMA = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, started_at REAL NOT NULL, base_url TEXT NOT NULL, model TEXT NOT NULL,
    server TEXT NOT NULL);
CREATE TABLE requests (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, model TEXT NOT NULL,
    prompt_version TEXT NOT NULL, parameters TEXT NOT NULL, item TEXT NOT NULL, attempt INTEGER NOT NULL,
    messages_hash TEXT NOT NULL);
CREATE TABLE sendings (id INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES requests(id),
    run INTEGER REFERENCES runs(id), sent_at REAL NOT NULL, max_output_tokens INTEGER NOT NULL,
    worst_usd REAL NOT NULL);
CREATE TABLE endings (sending INTEGER PRIMARY KEY REFERENCES sendings(id), ended_at REAL NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'refused', 'failed', 'throttled')), prompt_tokens INTEGER,
    output_tokens INTEGER, charged_usd REAL NOT NULL, detail TEXT NOT NULL, raw TEXT NOT NULL);
CREATE TABLE verdicts (id INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES requests(id), given_at REAL NOT NULL,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)), reason TEXT NOT NULL);
CREATE INDEX sendings_request ON sendings(request);
CREATE INDEX verdicts_request ON verdicts(request);
PRAGMA user_version = 1;
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger of format 1 that has answers to ten questions."""
    with LLMServer() as server:
        ask(tmp_path / "new", config(server), questions(10))
    old = sqlite3.connect(tmp_path / "old")
    old.executescript(OLD_SCHEMA)
    old.execute("ATTACH ? AS new", (str(tmp_path / "new"),))
    for table in ("runs", "requests", "sendings", "endings"):
        old.execute(f"INSERT INTO main.{table} SELECT * FROM new.{table}")
    old.commit()
    old.close()
    return tmp_path / "old"


def test_it_is_read_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with Ledger.read(old) as ledger:
        keys = [question_of(LLMConfig(model="tiny", max_output_tokens=100), r).key for r in questions(10)]
        assert all(entry.last is not None for entry in ledger.look_up(keys).values())
        assert ledger.totals().answered == 11
    assert old.read_bytes() == before


@pytest.mark.parametrize("mode", ["chat", "batch"])
def test_it_is_upgraded_in_place_and_its_answers_stand(old: Path, mode: str) -> None:
    with LLMServer() as server:
        assert words(ask(old, batch_config(server, mode=mode), questions(15))) == right(15)
    assert sorted(server.asked_questions) == [f"noun {i}" for i in range(10, 15)]
    with sqlite3.connect(old) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        connection.execute("INSERT OR IGNORE INTO batches VALUES (1, 'token', 1, 0, 'url', 'tiny', 0)")
        with pytest.raises(sqlite3.Error, match="only grows"):
            connection.execute("DELETE FROM batches")
