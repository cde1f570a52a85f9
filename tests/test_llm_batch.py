"""The Batch API: against a real server on loopback, with its faults, and with processes that are killed."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
import time

import polars as pl
import pytest
from caption_server import CaptionServer
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_asking import PRICES, Askers, ask, config, questions, totals, words
from llm_batches import FATES
from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.llm.budget import BudgetReachedError
from nounflow.llm.client import open_client
from nounflow.llm.estimate import estimate
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import question_of
from nounflow.llm.pace import RunStoppedError
from nounflow.llm.requests import Failure
from nounflow.schemas.tables import LEXICON, write_table

PROBE = 'Answer with the JSON object {"word": "yes"}.'
CALLS = ("upload", "create", "retrieve", "content")
POINTS = [(call, kill) for call in CALLS for kill in ("kill", "kill_after")]
LINE_FAULTS = ["429:0.01", "500", "drop", "malformed", "truncated"]
CALL_FAULTS = ["429:0.01", "500", "drop", "drop_after", "500_after"]
KEY = "sk-very/secret-0123456789abcdef"
PAID = (20 * 1.0 + 10 * 2.0) / 1e6  # USD of one good answer of the server, outside a batch


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def askers():
    with Askers() as askers:
        yield askers


def batch_config(server, *, batch=None, **changes):
    """Batches of ten, looked at all the time."""
    return config(
        server, **{"mode": "batch", "batch": {"poll_s": 0.01, "max_requests": 10, **(batch or {})}, **changes}
    )


def right(n):
    return {f"noun {i}": (f'{{"word": "noun {i}"}}',) for i in range(n)}


def created(server):
    return len(server.batches.batches)


def inputs(server):
    """The input files that the server has got."""
    return [content for name, content in server.batches.files.items() if name.startswith("file-")]


class TestAnswers:
    def test_batches_answer_as_calls_do_at_the_price_of_batches_and_a_rerun_sends_nothing(self, tmp_path):
        with LLMServer() as server:
            first = ask(tmp_path / "ledger", batch_config(server), questions(35))
            calls = server.batches.calls.total() + server.asked.total()
            again = ask(tmp_path / "ledger", batch_config(server), questions(35))
            assert server.batches.calls.total() + server.asked.total() == calls
        assert words(first) == words(again) == right(35)
        assert all(outcome.replayed and outcome.usd == 0 for outcome in again)
        assert set(server.asked_questions.values()) == {1}
        assert [content.count(b"\n") for content in inputs(server)] == [10, 10, 10, 5]
        assert totals(tmp_path / "ledger").spent_usd == pytest.approx(35 * PAID / 2 + PAID)  # and the probe
        keys = {question_of(batch_config(server), o.request).key for o in first}
        assert {json.loads(line)["custom_id"] for content in inputs(server) for line in content.splitlines()} == keys

    @pytest.mark.parametrize("modes", [("chat", "batch"), ("batch", "chat")])
    def test_what_one_mode_has_answered_the_other_does_not_ask(self, tmp_path, modes):
        with LLMServer() as server:
            for mode in modes:
                assert words(ask(tmp_path / "ledger", batch_config(server, mode=mode), questions(12))) == right(12)
        assert set(server.asked_questions.values()) == {1}

    def test_equal_requests_are_asked_once_and_answered_each(self, tmp_path):
        with LLMServer() as server:
            outcomes = ask(tmp_path / "ledger", batch_config(server), questions(4) + questions(4))
            assert len(outcomes) == 8
            assert words(outcomes) == right(4)
        assert set(server.asked_questions.values()) == {1}
        assert sum(outcome.usd for outcome in outcomes) == pytest.approx(4 * PAID / 2)

    def test_an_asker_that_stops_early_and_one_that_asks_again_share_their_batches(self, tmp_path):
        async def run(settings_):
            with Ledger.open(tmp_path / "ledger") as ledger:
                async with open_client(settings_, ledger) as client:
                    outcomes = client.ask(questions(40))
                    async for _ in outcomes:
                        break
                    await outcomes.aclose()
                    return [outcome async for outcome in client.ask(questions(45))]

        with LLMServer() as server:
            assert words(asyncio.run(run(batch_config(server)))) == right(45)
        assert set(server.asked_questions.values()) == {1}
        assert totals(tmp_path / "ledger").spent_usd == pytest.approx(45 * PAID / 2 + PAID)

    def test_a_server_without_schemas_is_told_them_in_words(self, tmp_path):
        with LLMServer(schema=False) as server:
            outcomes = ask(tmp_path / "ledger", batch_config(server), questions(3, schema={"type": "object"}))
        assert {outcome.status for outcome in outcomes} == {"answered"}
        assert "JSON schema" in server.bodies[-1]["messages"][-1]["content"]

    def test_the_estimate_is_at_the_price_of_batches(self):
        with LLMServer() as server:
            chat, batch = (
                estimate(questions(5), batch_config(server, mode=mode), None, output_tokens_guess=10)
                for mode in ("chat", "batch")
            )
        assert batch.expected_usd == pytest.approx(chat.expected_usd / 2)
        assert batch.worst_usd == pytest.approx(chat.worst_usd / 2)


class TestSplitting:
    @pytest.mark.parametrize(
        ("limits", "files"),
        [
            ({"max_requests": 7}, 5),
            ({"max_requests": 500, "max_bytes": 2000}, 4),
            ({"max_requests": 500, "max_queued_tokens": 30}, 7),
        ],
    )
    def test_a_batch_ends_at_the_first_limit(self, tmp_path, limits, files):
        with LLMServer() as server:
            assert words(ask(tmp_path / "ledger", batch_config(server, batch=limits), questions(32))) == right(32)
        assert created(server) >= files
        assert set(server.asked_questions.values()) == {1}
        for content in inputs(server):
            assert content.count(b"\n") <= limits["max_requests"]
            assert len(content) <= limits.get("max_bytes", len(content))
            tokens = 6 * content.count(b"\n")  # "noun 3" is estimated at two tokens, a message at four
            assert tokens <= limits.get("max_queued_tokens", tokens)

    @pytest.mark.parametrize("limits", [{"max_open_batches": 1}, {"max_queued_tokens": 70}])
    def test_the_next_batch_waits_while_the_queue_is_full(self, tmp_path, limits):
        with LLMServer() as server:
            assert words(ask(tmp_path / "ledger", batch_config(server, batch=limits), questions(35))) == right(35)
        assert server.batches.most_open == 1

    def test_without_such_a_limit_batches_are_under_way_together(self, tmp_path):
        with LLMServer() as server:
            ask(tmp_path / "ledger", batch_config(server, batch={"max_queued_tokens": None}), questions(35))
        assert server.batches.most_open == 4

    def test_a_request_that_fits_into_no_batch_is_given_up_alone(self, tmp_path):
        long = questions(1, choices=2)[0].__class__("long", ({"role": "user", "content": "x" * 5000},), "1")
        with LLMServer() as server:
            limits = {"max_bytes": 4000}
            outcomes = ask(tmp_path / "ledger", batch_config(server, batch=limits), [long, *questions(3)])
        assert [o.request.item for o in outcomes if isinstance(o, Failure)] == ["long"]
        assert words(outcomes) == right(3)


class TestMoney:
    def test_the_budget_holds_for_whole_batches_and_a_larger_one_goes_on(self, tmp_path):
        budget = 0.004
        with LLMServer() as server:
            with pytest.raises(BudgetReachedError, match="budget_usd"):
                ask(tmp_path / "ledger", batch_config(server, budget_usd=budget), questions(400))
            spent, asked = totals(tmp_path / "ledger").spent_usd, server.asked_questions.total()
            assert 100 < asked < 400
            assert spent == pytest.approx(asked * PAID / 2 + PAID)
            assert budget - 0.001 < spent <= budget
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(400))) == right(400)
        assert set(server.asked_questions.values()) == {1}

    def test_a_budget_of_nothing_uploads_nothing(self, tmp_path):
        with LLMServer() as server:
            with pytest.raises(BudgetReachedError):
                ask(tmp_path / "ledger", batch_config(server, budget_usd=0), questions(3))
            assert server.asked.total() + server.batches.calls.total() == 0

    def test_a_batch_under_way_is_counted_at_its_worst_price(self, tmp_path):
        with LLMServer() as server:
            server.batches.fates("stuck")
            with pytest.raises(RunStoppedError, match="deadline"):
                ask(tmp_path / "ledger", batch_config(server, deadline_s=0.5), questions(10))
        assert totals(tmp_path / "ledger").presumed_usd > 10 * 100 * 2.0 / 1e6 / 2


class TestFates:
    @pytest.mark.parametrize("fate", FATES)
    def test_what_a_batch_leaves_unanswered_is_asked_again_and_nothing_else(self, tmp_path, fate):
        with LLMServer() as server:
            server.batches.fates(fate, fate)
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(25))) == right(25)
            assert ask(tmp_path / "ledger", batch_config(server), questions(25))[0].replayed
        assert set(server.answered.values()) == {1}
        assert set(server.asked_questions.values()) == {1}
        assert totals(tmp_path / "ledger").spent_usd == pytest.approx(25 * PAID / 2 + PAID)

    @pytest.mark.parametrize("fault", ["429", "500", "malformed", "drop"])
    def test_a_line_that_failed_is_asked_again_alone(self, tmp_path, fault):
        with LLMServer() as server:
            server.script("noun 1", fault, fault)
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
        assert server.asked_questions == {f"noun {i}": 3 if i == 1 else 1 for i in range(10)}

    @pytest.mark.parametrize("fault", ["400", "filtered", "refusal"])
    def test_a_refused_line_is_never_sent_again(self, tmp_path, fault):
        with LLMServer() as server:
            server.script("noun 1", fault)
            for _ in range(2):
                outcomes = ask(tmp_path / "ledger", batch_config(server), questions(10))
                (refused,) = (outcome for outcome in outcomes if outcome.status == "refused")
                assert refused.request.item == "noun 1"
                assert refused.detail
        assert server.asked["noun 1"] == 1

    def test_a_truncated_line_is_asked_once_more_with_more_room(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 0", "truncated")
            server.script("noun 1", "truncated", "truncated")
            for _ in range(2):
                outcomes = {o.request.item: o for o in ask(tmp_path / "ledger", batch_config(server), questions(2))}
                assert outcomes["noun 0"].status == "answered"
                assert outcomes["noun 1"].status == "truncated"
        rooms = [body["max_tokens"] for body in server.bodies if body["messages"][0]["content"].startswith("noun")]
        assert sorted(rooms) == [100, 100, 400, 400]

    def test_batches_that_always_fail_end_the_run_with_their_reason(self, tmp_path):
        with LLMServer() as server:
            server.batches.fates(*["failed"] * 50)
            settings_ = batch_config(server, max_attempts=2, failures_in_a_row=5)
            with pytest.raises(RunStoppedError, match="invalid_request"):
                ask(tmp_path / "ledger", settings_, questions(10))
            assert created(server) == 2
        assert totals(tmp_path / "ledger").unanswered == 0

    def test_a_line_that_always_fails_is_given_up_and_the_next_run_asks_again(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 1", "500", "500")
            outcomes = ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(5))
            assert [o.request.item for o in outcomes if isinstance(o, Failure)] == ["noun 1"]
            outcomes = ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(5))
        assert words(outcomes) == right(5)
        assert server.asked["noun 0"] == 1

    def test_a_queue_that_stays_full_ends_at_the_deadline(self, tmp_path):
        with LLMServer() as server:
            server.batches.fates(*["queue"] * 1000)
            with pytest.raises(RunStoppedError, match="deadline"):
                ask(tmp_path / "ledger", batch_config(server, deadline_s=1), questions(5))
            assert created(server) < 10  # the waits grow
        assert totals(tmp_path / "ledger").unanswered == 0

    @pytest.mark.parametrize("fault", ["401", "quota"])
    def test_a_line_without_access_stops_everything_once_the_batch_is_read(self, tmp_path, fault):
        with LLMServer() as server:
            server.script("noun 2", fault)
            with pytest.raises(RunStoppedError, match="refuses all requests"):
                ask(tmp_path / "ledger", batch_config(server), questions(10))
        assert totals(tmp_path / "ledger").answered == 9 + 1

    def test_a_batch_that_takes_too_long_is_cancelled_and_the_rest_asked_again(self, tmp_path, capfd):
        with LLMServer() as server:
            server.batches.fates("stuck")
            settings_ = batch_config(server, batch={"max_wait_s": 0.3})
            assert words(ask(tmp_path / "ledger", settings_, questions(10))) == right(10)
        assert set(server.asked_questions.values()) == {1}
        assert server.batches.calls["cancel"] == 1
        assert "cancelled, as `max_wait_s` is over" in capfd.readouterr().err

    def test_the_deadline_leaves_a_batch_that_the_next_run_reads(self, tmp_path):
        with LLMServer() as server:
            server.batches.polls = 10**9
            with pytest.raises(RunStoppedError, match=r"still under way: batch 1 \(batch_0, in_progress\)"):
                ask(tmp_path / "ledger", batch_config(server, deadline_s=0.5), questions(10))
            with pytest.raises(RunStoppedError, match="under way in a batch"):  # it would be paid twice
                ask(tmp_path / "ledger", batch_config(server, mode="chat"), questions(1))
            server.batches.polls = 1
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(12))) == right(12)
        assert set(server.asked_questions.values()) == {1}
        assert totals(tmp_path / "ledger").spent_usd == pytest.approx(12 * PAID / 2 + 2 * PAID)

    def test_a_batch_at_another_server_is_not_asked_here(self, tmp_path):
        with LLMServer() as server, LLMServer() as other:
            server.batches.polls = 10**9
            with pytest.raises(RunStoppedError, match="deadline"):
                ask(tmp_path / "ledger", batch_config(server, deadline_s=0.5), questions(3))
            with pytest.raises(RunStoppedError, match="another server"):
                ask(tmp_path / "ledger", batch_config(other), questions(3))
            assert other.asked.total() + other.batches.calls.total() == 0


class TestCalls:
    @pytest.mark.parametrize(
        ("call", "fault"),
        [
            *((call, fault) for call in CALLS for fault in ("500", "drop", "429")),
            *((call, fault) for call in ("upload", "create", "retrieve") for fault in ("drop_after", "500_after")),
            ("create", "404"), ("create", "400"), ("retrieve", "404"), ("content", "404"), ("content", "cut"),
            ("content", "cut_wire"),
        ],
    )  # fmt: skip
    def test_a_call_that_fails_now_and_then_costs_nothing(self, tmp_path, call, fault):
        with LLMServer() as server:
            server.batches.on(call, fault, fault)
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
            if fault.endswith("_after") and call == "create":
                assert created(server) == 1
        assert set(server.asked_questions.values()) == {1}
        assert totals(tmp_path / "ledger").spent_usd == pytest.approx(10 * PAID / 2 + PAID)

    def test_a_batch_that_was_created_in_secret_is_found_behind_others(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("create", *["good"] * 4, "drop_after")
            server.batches.on("list", "500", "drop")
            settings_ = batch_config(server, batch={"max_requests": 2})
            assert words(ask(tmp_path / "ledger", settings_, questions(20))) == right(20)
            assert created(server) == 10
        assert set(server.asked_questions.values()) == {1}

    def test_results_that_stay_cut_off_give_what_they_have(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("content", "cut", "cut")
            settings_ = batch_config(server, max_attempts=2)
            assert words(ask(tmp_path / "ledger", settings_, questions(10))) == right(10)
        lost = 10 * 100 * 2.0 / 1e6 / 2  # at worst
        assert {1, 2} == set(server.asked_questions.values())
        assert sum(n > 1 for n in server.asked_questions.values()) < 6
        assert 0 < totals(tmp_path / "ledger").presumed_usd < lost

    def test_results_that_cannot_be_fetched_stop_the_run_and_the_next_one_fetches_them(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("content", "404", "500")
            with pytest.raises(RunStoppedError, match="cannot be read"):
                ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(10))
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
        assert set(server.asked_questions.values()) == {1}

    def test_a_batch_that_the_server_has_lost_is_not_paid_twice_unasked(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("retrieve", *["404"] * 4)
            with pytest.raises(RunStoppedError, match="does not know batch 1"):
                ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(4))
            assert created(server) == 1
            settings_ = batch_config(server, max_attempts=2)
            later = ask(tmp_path / "ledger", settings_, questions(4), now=lambda: time.time() + 1e6)
            assert words(later) == right(4)
        assert totals(tmp_path / "ledger").presumed_usd > 4 * 100 * 2.0 / 1e6 / 2

    def test_one_batch_that_is_lost_does_not_keep_the_others(self, tmp_path):
        with LLMServer() as server:
            server.batches.fates("good", "forgotten", "good")
            with pytest.raises(RunStoppedError, match="does not know batch 2"):
                ask(tmp_path / "ledger", batch_config(server), questions(30))
            assert totals(tmp_path / "ledger").answered == 20 + 1
            later = ask(tmp_path / "ledger", batch_config(server), questions(30), now=lambda: time.time() + 1e6)
            assert words(later) == right(30)
        assert set(server.asked_questions.values()) == {1}

    def test_a_server_without_batches_is_named(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("upload", "404")
            with pytest.raises(RunStoppedError, match="mode: chat"):
                ask(tmp_path / "ledger", batch_config(server), questions(4))

    def test_a_server_that_falls_silent_ends_the_run_and_loses_nothing(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("retrieve", *["drop"] * 3)
            with pytest.raises(RunStoppedError, match="does not say how batch 1"):
                ask(tmp_path / "ledger", batch_config(server, failures_in_a_row=3), questions(4))
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(4))) == right(4)
        assert set(server.asked_questions.values()) == {1}

    def test_a_wait_that_is_too_long_ends_the_run(self, tmp_path):
        with LLMServer() as server:
            server.batches.on("create", "429:3600")
            with pytest.raises(RunStoppedError, match="3,600 s"):
                ask(tmp_path / "ledger", batch_config(server), questions(4))

    @pytest.mark.parametrize("call", CALLS)
    def test_the_key_reaches_no_error_log_or_ledger(self, tmp_path, monkeypatch, caplog, capfd, call):
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


class TestKill:
    @pytest.mark.parametrize(("call", "kill"), POINTS)
    def test_killed_at_any_call_it_goes_on_where_it_was(self, tmp_path, askers, call, kill):
        with LLMServer() as server:
            server.batches.on(call, "good", kill)
            askers.start(tmp_path / "ledger", batch_config(server), 25, server)
            askers.wait()
            assert totals(tmp_path / "ledger").unanswered > 0
            assert words(ask(tmp_path / "ledger", batch_config(server), questions(25))) == right(25)
            assert created(server) == 3
        assert set(server.asked_questions.values()) == {1}
        spent = totals(tmp_path / "ledger").spent_usd
        assert spent == pytest.approx(25 * PAID / 2 + server.asked[PROBE] * PAID)

    @pytest.mark.parametrize("after", [1, 600, 1300])
    def test_killed_while_it_reads_results_it_reads_on(self, tmp_path, askers, after):
        n = 1500  # results are written in portions
        with LLMServer() as server:
            settings_ = batch_config(server, batch={"max_requests": 1500})
            askers.start(tmp_path / "ledger", settings_, n, server)
            seen = [askers.answered() for _ in range(after)]
            server.batches.kill()
            askers.wait()
            outcomes = ask(tmp_path / "ledger", settings_, questions(n))
        assert words(outcomes) == right(n)
        assert set(seen) <= {outcome.request.item for outcome in outcomes if outcome.replayed}
        assert set(server.asked_questions.values()) == {1}
        assert created(server) == 1

    @settings(max_examples=15, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 11), st.sampled_from(LINE_FAULTS)), max_size=6, unique=True),
        st.lists(st.sampled_from(FATES), max_size=4),
        st.lists(st.tuples(st.sampled_from([*CALLS, "list"]), st.sampled_from(CALL_FAULTS)), max_size=4),
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from(POINTS)), max_size=3),
    )
    def test_whatever_fails_and_whenever_it_is_killed_all_is_answered_once(
        self, tmp_path_factory, askers, lines, fates, calls, kills
    ):
        path = tmp_path_factory.mktemp("kills") / "ledger"
        with LLMServer() as server:
            for noun, fault in lines:
                server.script(f"noun {noun}", fault)
            server.batches.fates(*fates)
            for call, fault in calls:
                server.batches.on(call, fault)
            settings_ = batch_config(server, max_attempts=30, batch={"max_requests": 5})
            for good, (call, kill) in kills:
                server.batches.on(call, *["good"] * good, kill)
                askers.start(path, settings_, 12, server)
                askers.wait()
            assert words(ask(path, settings_, questions(12))) == right(12)
        assert {message: n for message, n in server.answered.items() if message != PROBE} == dict.fromkeys(right(12), 1)
        assert totals(path).unanswered == 0


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


class TestOldLedger:
    @pytest.fixture
    def old(self, tmp_path):
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

    def test_it_is_read_as_it_is(self, old):
        before = old.read_bytes()
        with Ledger.read(old) as ledger:
            keys = [question_of(LLMConfig(model="tiny", max_output_tokens=100), r).key for r in questions(10)]
            assert all(entry.last is not None for entry in ledger.look_up(keys).values())
            assert ledger.totals().answered == 11
        assert old.read_bytes() == before

    @pytest.mark.parametrize("mode", ["chat", "batch"])
    def test_it_is_upgraded_in_place_and_its_answers_stand(self, old, mode):
        with LLMServer() as server:
            assert words(ask(old, batch_config(server, mode=mode), questions(15))) == right(15)
        assert sorted(server.asked_questions) == [f"noun {i}" for i in range(10, 15)]
        with sqlite3.connect(old) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (2,)
            connection.execute("INSERT OR IGNORE INTO batches VALUES (1, 'token', 1, 0, 'url', 'tiny', 0)")
            with pytest.raises(sqlite3.Error, match="only grows"):
                connection.execute("DELETE FROM batches")


def test_the_prices_of_batches_come_from_the_config(tmp_path):
    prices = {"tiny": {**PRICES["tiny"], "batch_factor": 0.25}}
    with LLMServer() as server:
        ask(tmp_path / "ledger", batch_config(server, prices=prices), questions(8))
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(8 * PAID / 4 + PAID)


def test_the_captions_of_batches_are_those_of_calls(repository, tmp_path):
    nouns = pl.DataFrame(
        [
            {
                "id": i, "key": f"k{i}", "noun": noun, "canon": noun, "kind": "artifact",
                "synsets": [f"n{i:08d}"], "sense_keys": [f"{noun}%1:06:00::"], "gloss": f"the gloss of {noun}",
                "hypernyms": ["thing"], "hypernym_synsets": ["n20000000"],
                "singulars": [noun], "singular_shares": [0.75],
                "plurals": [f"{noun}s"], "plural_shares": [0.25], "frequency": 1e-6, "weight": 1.0 + i,
            }
            for i, noun in enumerate(("robin", "crane", "kettle"))
        ],
        schema=pl.DataFrame(LEXICON.empty_table()).schema,
    )  # fmt: skip
    write_table(tmp_path / "nouns.parquet", nouns, LEXICON)
    with CaptionServer() as server:
        for mode in ("chat", "batch"):
            values = {"server": batch_config(server, mode=mode).model_dump(), "captions_per_noun": 6}
            done = subprocess.run(
                [
                    sys.executable, str(repository / "workflow_scripts/ask_captions.py"), "--nouns",
                    str(tmp_path / "nouns.parquet"), "--settings", json.dumps(values), "--ledger",
                    str(tmp_path / f"{mode}.sqlite"), "--out", str(tmp_path / mode / "llm.parquet"),
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        assert created(server) > 0
        assert server.asked_questions.total() % 2 == 0
    assert (tmp_path / "batch/llm.parquet").read_bytes() == (tmp_path / "chat/llm.parquet").read_bytes()
    assert "completed" in done.stderr
