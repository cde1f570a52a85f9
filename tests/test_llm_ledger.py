"""The ledger of requests and answers: it only grows, survives, and is found again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from llm_asking import questions, unanswered, verdict_counts

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.llm.ledger import Ledger
from nounflow.llm.records import Ending
from nounflow.llm.requests import Question, TokenUsage


def test_answers_survive_and_a_sending_without_an_ending_is_seen(tmp_path: Path) -> None:
    one, two = (Question.of(request, "tiny", {}) for request in questions(2))
    with Ledger.open(tmp_path / "ledger", now=lambda: 7.0) as ledger:
        sending = ledger.record_sending(one, max_output_tokens=9, worst_usd=0.5).result()
        ledger.record_ending(sending, Ending("answered", "raw", "", TokenUsage(3, 4), 0.25)).result()
        ledger.record_sending(two, max_output_tokens=9, worst_usd=0.5).result()
    with Ledger.open(tmp_path / "ledger") as ledger:
        known = ledger.look_up([one.key, two.key, "other"])
        assert known[one.key].last == Ending("answered", "raw", "", TokenUsage(3, 4), 0.25)
        assert known[two.key].last is None
        assert "other" not in known
        assert unanswered(ledger) == [("noun 1", 7.0, 0.5)]
        assert (ledger.totals().paid_usd, ledger.totals().presumed_usd) == (0.25, 0.5)


def test_rejected_answers_are_counted_by_their_latest_verdict(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger:
        keys = []
        for request in questions(3):
            question = Question.of(request, "tiny", {})
            ledger.record_sending(question, max_output_tokens=9, worst_usd=0).result()
            keys.append(question.key)
        for key in keys:
            ledger.record_verdict(key, False, "too short").result()
        assert [ledger.record_verdict(keys[0], True).result() for _ in range(2)] == [
            1,
            0,
        ]
        assert verdict_counts(ledger) == {"": 1, "too short": 2}


@pytest.mark.parametrize("statement", ["DELETE FROM sendings", "UPDATE requests SET item = ''"])
def test_nothing_is_changed_or_removed(tmp_path: Path, statement: str) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger:
        question = Question.of(questions(1)[0], "tiny", {})
        ledger.record_sending(question, max_output_tokens=9, worst_usd=0).result()
        with pytest.raises(Exception, match="only grows"):
            ledger.submit(lambda connection: connection.execute(statement)).result()


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger"):
        with pytest.raises(NounflowError, match="Another process"):
            Ledger.open(tmp_path / "ledger")
        with Ledger.read(tmp_path / "ledger") as reader:
            assert reader.totals().sendings == 0


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(b"not a database at all, but long enough to look at" * 20)
    before = (tmp_path / "ledger").read_bytes()
    with pytest.raises(DamagedFileError):
        Ledger.open(tmp_path / "ledger")
    assert (tmp_path / "ledger").read_bytes() == before


def test_thousands_of_keys_are_looked_up_at_once(tmp_path: Path) -> None:
    known = [Question.of(request, "tiny", {}) for request in questions(5_000)]
    numbers = range(1, len(known) + 1)

    def fill(connection: sqlite3.Connection) -> None:
        rows = [(n, q.key, q.request.item, q.request.messages_hash) for n, q in zip(numbers, known, strict=True)]
        connection.executemany("INSERT INTO requests VALUES (?, ?, 'tiny', '1', '{}', ?, 0, ?)", rows)
        connection.executemany("INSERT INTO sendings VALUES (?, ?, NULL, 0, 9, 0)", [(n, n) for n in numbers])
        values = [(n, "x" * 600) for n in numbers]
        connection.executemany("INSERT INTO endings VALUES (?, 0, 'answered', 1, 1, 0, '', ?)", values)

    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.submit(fill).result()
        entries = ledger.look_up([question.key for question in known])
    assert set(entries) == {question.key for question in known}
    assert all(entry.last and entry.last.outcome == "answered" for entry in entries.values())
