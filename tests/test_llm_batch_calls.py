"""Calls of the Batch API that fail: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from llm_asking import KEY, PAID, ask, batch_config, created, questions, right, totals, words
from llm_server import LLMServer

from nounflow.llm.batch.http import state_of
from nounflow.llm.pace import RunStoppedError

CALLS = ("upload", "create", "retrieve", "content")


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        *((call, fault) for call in CALLS for fault in ("500", "drop", "429")),
        *((call, fault) for call in ("upload", "create", "retrieve") for fault in ("drop_after", "500_after")),
        ("create", "404"), ("create", "400"), ("retrieve", "404"), ("content", "404"), ("content", "cut"),
        ("content", "cut_wire"),
    ],
)  # fmt: skip
def test_a_call_that_fails_now_and_then_costs_nothing(tmp_path: Path, call: str, fault: str) -> None:
    with LLMServer() as server:
        server.batches.on(call, fault, fault)
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
        if fault.endswith("_after") and call == "create":
            assert created(server) == 1
    assert set(server.asked_questions.values()) == {1}
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(10 * PAID / 2 + PAID)


def test_a_batch_that_was_created_in_secret_is_found_behind_others(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("create", *["good"] * 4, "drop_after")
        server.batches.on("list", "500", "drop")
        settings_ = batch_config(server, batch={"max_requests": 2})
        assert words(ask(tmp_path / "ledger", settings_, questions(20))) == right(20)
        assert created(server) == 10
    assert set(server.asked_questions.values()) == {1}


def test_results_that_stay_cut_off_give_what_they_have(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("content", "cut", "cut")
        settings_ = batch_config(server, max_attempts=2)
        assert words(ask(tmp_path / "ledger", settings_, questions(10))) == right(10)
    lost = 10 * 100 * 2.0 / 1e6 / 2  # at worst
    assert {1, 2} == set(server.asked_questions.values())
    assert sum(n > 1 for n in server.asked_questions.values()) < 6
    assert 0 < totals(tmp_path / "ledger").presumed_usd < lost


def test_results_that_cannot_be_fetched_stop_the_run_and_the_next_one_fetches_them(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("content", "404", "500")
        with pytest.raises(RunStoppedError, match="cannot be read"):
            ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(10))
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
    assert set(server.asked_questions.values()) == {1}


def test_results_of_which_no_line_can_be_read_are_not_paid_twice(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("content", "strange", "strange")
        with pytest.raises(RunStoppedError, match="no line of them"):
            ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(10))
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
    assert set(server.asked_questions.values()) == {1}


@pytest.mark.parametrize(
    "said",
    [
        {"errors": [{"code": "x"}]}, {"errors": "x"}, {"errors": {"data": "x"}}, {"metadata": "x"},
        {"request_counts": [3]}, {"request_counts": {"total": "many", "completed": 1e999}},
    ],
)  # fmt: skip
def test_a_batch_is_read_however_a_server_tells_of_it(tmp_path: Path, said: dict[str, Any]) -> None:
    with LLMServer() as server:
        server.batches.says = said
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(3))) == right(3)


def test_results_that_come_later_than_the_state_are_waited_for_without_counts_too(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.fates("late")
        server.batches.leaves_out = {"request_counts"}
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(3))) == right(3)
    assert set(server.asked_questions.values()) == {1}


@pytest.mark.parametrize(
    ("said", "state"),
    [("BATCH_STATE_FAILED", "failed"), ("JOB_STATE_SUCCEEDED", "completed"), ("Running", "in_progress")],
)
def test_states_are_read_in_other_servers_words(said: str, state: str) -> None:
    assert state_of(said, "") == state


def test_a_batch_that_the_server_has_lost_is_not_paid_twice_unasked(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("retrieve", *["404"] * 4)
        with pytest.raises(RunStoppedError, match="does not know batch 1"):
            ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(4))
        assert created(server) == 1
        settings_ = batch_config(server, max_attempts=2)
        later = ask(tmp_path / "ledger", settings_, questions(4), now=lambda: time.time() + 1e6)
        assert words(later) == right(4)
    assert totals(tmp_path / "ledger").presumed_usd > 4 * 100 * 2.0 / 1e6 / 2


def test_one_batch_that_is_lost_does_not_keep_the_others(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.fates("good", "forgotten", "good")
        with pytest.raises(RunStoppedError, match="does not know batch 2"):
            ask(tmp_path / "ledger", batch_config(server), questions(30))
        assert totals(tmp_path / "ledger").answered == 20 + 1
        later = ask(tmp_path / "ledger", batch_config(server), questions(30), now=lambda: time.time() + 1e6)
        assert words(later) == right(30)
    assert set(server.asked_questions.values()) == {1}


def test_a_server_without_batches_is_named(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("upload", "404")
        with pytest.raises(RunStoppedError, match="mode: chat"):
            ask(tmp_path / "ledger", batch_config(server), questions(4))


def test_a_server_that_falls_silent_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("retrieve", *["drop"] * 3)
        with pytest.raises(RunStoppedError, match="does not say how batch 1"):
            ask(tmp_path / "ledger", batch_config(server, failures_in_a_row=3), questions(4))
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(4))) == right(4)
    assert set(server.asked_questions.values()) == {1}


def test_a_wait_that_is_too_long_ends_the_run(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.on("create", "429:3600")
        with pytest.raises(RunStoppedError, match="3,600 s"):
            ask(tmp_path / "ledger", batch_config(server), questions(4))


@pytest.mark.parametrize("call", CALLS)
def test_the_key_reaches_no_error_log_or_ledger(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    call: str,
) -> None:
    monkeypatch.setenv("TINY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with LLMServer() as server:
        settings_ = batch_config(server, api_key_env="TINY_KEY")
        server.script("noun 0", "echo")
        server.script("noun 1", "echo401")
        server.batches.on(call, "echo")
        errors = []
        for _ in range(3):  # the call that repeats the key, the line that does, then all is well
            try:
                outcomes = ask(tmp_path / "ledger", settings_, questions(4))
            except RunStoppedError as error:
                errors.append(error)
        assert server.authorizations == {f"Bearer {KEY}"}
    assert len(errors) == 2
    shown = f"{errors} {outcomes} {caplog.text} {''.join(capfd.readouterr())}"
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert "refuses all requests" in shown
    assert KEY not in shown
    assert KEY.encode() not in kept
    assert b"[key]" in kept
