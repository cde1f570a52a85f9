"""The decision log on disk, as SQLite and as text."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from decision_records import draft, logs, mark, record
from hypothesis import given

from nounflow.annotation.log import DecisionLog, log_digest, read_records, write_records
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.schemas.decisions import Decision, Mark, microseconds, parse_record, record_line


@given(logs())
def test_a_record_survives_its_line(records: list[Decision | Mark]) -> None:
    for one in records:
        assert parse_record(record_line(one), "here") == one


@pytest.mark.parametrize(
    "change",
    [
        {"image": "../etc/passwd"}, {"id": "1"}, {"category": "right"}, {"annotator": "a\nb"}, {"time": "2026-01-01"},
        {"votes": {"incorrect": 0}}, {"evidence": "x" * 5000}, {"more": 1}, {"kind": "remark"}, {"noun": None},
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused_when_it_is_read(change: dict[str, Any]) -> None:
    values = {**record(1).model_dump(), **change}
    with pytest.raises(DamagedFileError, match="Not a record"):
        parse_record(json.dumps(values), "here")


def test_times_rise_even_if_the_clock_goes_back(tmp_path: Path) -> None:
    clock = iter((50.0, 10.0, 10.0))
    with DecisionLog.open(tmp_path / "log.sqlite", now=lambda: next(clock)) as log:
        for number in range(3):
            log.append([draft(record(number))]).result()
        times = [one.time for one in log.records()]
    assert times == sorted(set(times))
    with DecisionLog.open(tmp_path / "log.sqlite", now=lambda: 1.0) as log:
        log.add([record(7, time=99)]).result()
        log.append([draft(record(8))]).result()
        assert microseconds(log.records()[-1].time) == 99_000_001  # above what was merged


def test_the_same_draft_twice_is_one_record_and_another_under_its_id_is_refused(tmp_path: Path) -> None:
    with DecisionLog.open(tmp_path / "log.sqlite") as log:
        first, again = log.append([draft(record(1)), draft(record(1))]).result()
        assert first.new
        assert not again.new
        assert again.record == first.record
        (other,) = log.append([draft(record(1, category="close_primary"))]).result()
        assert other.refused
        assert len(log.records()) == 1


def test_a_log_only_grows(tmp_path: Path) -> None:
    with DecisionLog.open(tmp_path / "log.sqlite") as log:
        log.append([draft(record(1))]).result()
    connection = sqlite3.connect(tmp_path / "log.sqlite")
    for sql in ("UPDATE records SET record = '{}'", "DELETE FROM records"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            connection.execute(sql)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_processes_do_not_write_to_one_log_and_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with DecisionLog.open(path) as log:
        with pytest.raises(NounflowError, match="Another process writes to this decision log"):
            DecisionLog.open(path)
        log.append([draft(record(1))]).result()
        assert len(read_records(path)) == 1


def test_a_file_that_is_no_log_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_text("hello" * 1000)
    with pytest.raises(DamagedFileError, match="decision log cannot be read"):
        read_records(tmp_path / "log.sqlite")
    (tmp_path / "log.jsonl").write_text('{"kind": "decision"}\n')
    with pytest.raises(DamagedFileError) as caught:
        read_records(tmp_path / "log.jsonl")
    assert "line 1" in str(caught.value)
    with pytest.raises(NounflowError, match="SQLite file"):
        DecisionLog.open(tmp_path / "log.jsonl")


def test_the_text_form_holds_the_same_records_in_the_order_of_time(tmp_path: Path) -> None:
    records: list[Decision | Mark] = [record(3), record(1, noun="a\tb\n\u2028\x00"), mark(2, "undo", 1)]
    write_records(tmp_path / "log.jsonl", records)
    assert read_records(tmp_path / "log.jsonl") == sorted(records, key=lambda one: one.time)
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 3
    with DecisionLog.open(tmp_path / "log.sqlite") as log:
        log.add(records).result()
    assert log_digest(tmp_path / "log.jsonl") == log_digest(tmp_path / "log.sqlite")


def test_text_logs_merged_line_by_line_are_a_log_and_edited_records_are_found(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{record_line(one)}\n" for one in (record(2), record(1), record(2))))
    assert len(read_records(path)) == 2
    path.write_text(f"{record_line(record(1))}\n{record_line(record(1, category='unsure'))}\n")
    with pytest.raises(MismatchError, match="Two different records"):
        read_records(path)
