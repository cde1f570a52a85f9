"""Asking a language model: against a real server on loopback, with its faults."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import tracemalloc
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_asking import PRICES, Askers, ask, config, questions, totals, words
from llm_server import LLMServer
from pydantic import ValidationError

from nounflow.config.llm import LLMConfig
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.llm.answers import MalformedAnswerError, read_answer, read_usage
from nounflow.llm.budget import BudgetReachedError
from nounflow.llm.client import open_client
from nounflow.llm.estimate import estimate
from nounflow.llm.keys import redact
from nounflow.llm.ledger import Ledger
from nounflow.llm.pace import RunStoppedError
from nounflow.llm.prices import UnknownPriceError, prompt_tokens_bound
from nounflow.llm.records import Ending
from nounflow.llm.requests import Failure, Question, Request, TokenUsage

KEY = "sk-very/secret-0123456789abcdef"
PAID = (20 * 1.0 + 10 * 2.0) / 1e6  # USD of one good answer of the server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def askers():
    with Askers() as askers:
        yield askers


class TestAnswers:
    def test_a_second_run_gives_the_same_answers_and_sends_nothing(self, tmp_path):
        with LLMServer() as server:
            first = ask(tmp_path / "ledger", config(server), questions(30))
            asked = server.asked.total()
            again = ask(tmp_path / "ledger", config(server), questions(30))
        assert words(first) == {f"noun {i}": (f'{{"word": "noun {i}"}}',) for i in range(30)}
        assert words(again) == words(first)
        assert all(outcome.replayed and outcome.usd == 0 for outcome in again)
        assert server.asked.total() == asked
        assert server.asked_questions.total() == 30

    def test_a_known_answer_needs_no_server(self, tmp_path):
        with LLMServer() as server:
            settings_ = config(server)
            first = ask(tmp_path / "ledger", settings_, questions(3))
        assert words(ask(tmp_path / "ledger", settings_, questions(3))) == words(first)

    @pytest.mark.parametrize("change", [{"prompt_version": "2"}, {"attempt": 1}, {"schema": {"type": "object"}}])
    def test_another_prompt_attempt_or_schema_is_another_question(self, tmp_path, change):
        with LLMServer() as server:
            ask(tmp_path / "ledger", config(server), questions(2))
            ask(tmp_path / "ledger", config(server), questions(2, **change))
        assert server.asked_questions.total() == 4

    def test_new_words_under_an_old_prompt_version_are_refused(self, tmp_path):
        other = Request("noun 0", ({"role": "user", "content": "other words"},), prompt_version="1")
        with LLMServer() as server:
            ask(tmp_path / "ledger", config(server), questions(1))
            with pytest.raises(MismatchError, match="version"):
                ask(tmp_path / "ledger", config(server), [other])
        assert server.asked["other words"] == 0

    def test_requests_may_come_from_an_async_iterator(self, tmp_path):
        async def stream():
            for request in questions(7):
                yield request

        with LLMServer() as server:
            assert len(words(ask(tmp_path / "ledger", config(server), stream()))) == 7

    @pytest.mark.parametrize("gaps", [{"schema": False}, {"choices": False}, {"room_name": "max_completion_tokens"}])
    def test_a_server_that_can_do_less_is_asked_for_less(self, tmp_path, gaps):
        requests = questions(2, schema={"type": "object"}, choices=3)
        with LLMServer(**gaps) as server:
            outcomes = ask(tmp_path / "ledger", config(server), requests)
        assert [outcome.status for outcome in outcomes] == ["answered"] * 2
        assert all(len(outcome.texts) == (1 if "choices" in gaps else 3) for outcome in outcomes)
        assert server.asked_questions.total() == 2  # no question was spent on finding out
        told = any("JSON schema" in message["content"] for message in server.bodies[-1]["messages"])
        assert told == ("schema" in gaps)

    def test_an_asker_that_stops_early_leaves_no_request_without_an_ending(self, tmp_path):
        async def run():
            with Ledger.open(tmp_path / "ledger") as ledger:
                async with open_client(config(server), ledger) as client:
                    outcomes = client.ask(questions(100))
                    async for _ in outcomes:
                        break
                    await outcomes.aclose()
                assert ledger.unanswered() == []
                return ledger.totals()

        with LLMServer(delay_s=0.05) as server:
            sums = asyncio.run(run())
        assert sums.answered == server.answered.total() < 100


class TestFaults:
    @pytest.mark.parametrize("fault", ["500", "503", "408", "drop", "malformed"])
    def test_a_passing_fault_is_tried_again(self, tmp_path, fault):
        with LLMServer() as server:
            server.script("noun 1", fault, fault)
            outcomes = ask(tmp_path / "ledger", config(server), questions(3))
        assert len(words(outcomes)) == 3
        assert server.asked["noun 1"] == 3

    def test_a_lasting_fault_gives_the_request_up_and_the_next_run_asks_again(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 1", "500", "500")
            outcomes = ask(tmp_path / "ledger", config(server, max_attempts=2), questions(3))
            assert [o.request.item for o in outcomes if isinstance(o, Failure)] == ["noun 1"]
            outcomes = ask(tmp_path / "ledger", config(server, max_attempts=2), questions(3))
        assert len(words(outcomes)) == 3
        assert server.asked["noun 0"] == 1

    def test_too_many_requests_is_not_an_attempt_and_its_wait_is_kept(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 0", "429:0.3", "429:0.3", "429")
            start = time.monotonic()
            outcomes = ask(tmp_path / "ledger", config(server, max_attempts=1), questions(1))
            assert time.monotonic() - start > 0.6
        assert outcomes[0].status == "answered"

    def test_a_wait_that_is_too_long_ends_the_run(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 0", "429:3600")
            with pytest.raises(RunStoppedError, match="3,600 s"):
                ask(tmp_path / "ledger", config(server), questions(1))

    def test_endless_throttling_ends_at_the_deadline(self, tmp_path):
        with LLMServer(always="429") as server, pytest.raises(RunStoppedError, match="deadline"):
            ask(tmp_path / "ledger", config(server, deadline_s=0.5), questions(1))

    @pytest.mark.parametrize(("fault", "calls"), [("400", 1), ("422", 1), ("filtered", 1), ("refusal", 1)])
    def test_a_refused_request_is_never_sent_again(self, tmp_path, fault, calls):
        with LLMServer() as server:
            server.script("noun 1", fault)
            for _ in range(2):
                outcomes = ask(tmp_path / "ledger", config(server), questions(3))
                (refused,) = (outcome for outcome in outcomes if outcome.status == "refused")
                assert refused.request.item == "noun 1"
                assert refused.detail
        assert server.asked["noun 1"] == calls

    @pytest.mark.parametrize("fault", ["401", "403", "404", "quota"])
    def test_no_access_stops_everything(self, tmp_path, fault):
        with LLMServer(delay_s=0.01) as server:
            server.script("noun 5", fault)
            with pytest.raises(RunStoppedError, match="refuses all requests"):
                ask(tmp_path / "ledger", config(server, concurrency=2), questions(200))
        assert server.asked_questions.total() < 20
        assert totals(tmp_path / "ledger").unanswered == 0

    def test_a_dead_server_ends_the_run(self, tmp_path):
        with LLMServer() as server:
            settings_ = config(server, failures_in_a_row=3, max_attempts=2)
        with pytest.raises(RunStoppedError, match="tiny request got no answer"):
            ask(tmp_path / "ledger", settings_, questions(100))
        assert totals(tmp_path / "ledger").spent_usd == 0  # nothing reached a server

    def test_a_server_that_fails_on_every_question_ends_the_run(self, tmp_path):
        with LLMServer() as server:
            for i in range(100):
                server.script(f"noun {i}", "500", "500")
            settings_ = config(server, failures_in_a_row=3, max_attempts=2, concurrency=2)
            with pytest.raises(RunStoppedError, match="3 requests in a row"):
                ask(tmp_path / "ledger", settings_, questions(100))
        assert server.asked_questions.total() < 20

    def test_a_slow_answer_is_given_up_and_presumed_paid(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 0", "slow")
            outcomes = ask(tmp_path / "ledger", config(server, timeout_s=0.3), questions(1))
        assert outcomes[0].status == "answered"
        assert totals(tmp_path / "ledger").presumed_usd >= 100 * 2.0 / 1e6

    def test_a_truncated_answer_is_asked_once_more_with_more_room(self, tmp_path):
        with LLMServer() as server:
            server.script("noun 0", "truncated")
            server.script("noun 1", "truncated", "truncated")
            for _ in range(2):
                outcomes = {o.request.item: o for o in ask(tmp_path / "ledger", config(server), questions(2))}
                assert outcomes["noun 0"].status == "answered"
                assert outcomes["noun 1"].status == "truncated"
        rooms = [body["max_tokens"] for body in server.bodies if body["messages"][0]["content"].startswith("noun")]
        assert sorted(rooms) == [100, 100, 400, 400]

    @settings(max_examples=12, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from(["429:0.01", "500", "drop", "malformed", "truncated"])),
            max_size=12,
        )
    )
    def test_whatever_passing_faults_occur_the_answers_are_the_undisturbed_ones(self, tmp_path_factory, faults):
        path = tmp_path_factory.mktemp("faults") / "ledger"
        with LLMServer() as server:
            for noun, fault in faults:
                server.script(f"noun {noun}", fault)
            settings_ = config(server, max_attempts=20, concurrency=4)
            outcomes = ask(path, settings_, questions(10))
            outcomes = [o for o in outcomes if o.status != "truncated"]
            expected = {f"noun {i}": (f'{{"word": "noun {i}"}}',) for i in range(10)}
            cut_twice = {o.request.item for o in outcomes} ^ set(expected)
            assert words(outcomes) == {item: texts for item, texts in expected.items() if item not in cut_twice}
            assert cut_twice <= {f"noun {n}" for n, f in faults if faults.count((n, f)) > 1 and f == "truncated"}
        assert totals(path).unanswered == 0


class TestMoney:
    def test_a_model_without_a_price_is_refused_before_anything_is_sent(self, tmp_path):
        with LLMServer() as server:
            with pytest.raises(UnknownPriceError, match="'tiny'"):
                ask(tmp_path / "ledger", config(server, prices={"other": {"input": 1, "output": 1}}), questions(1))
            assert server.asked.total() == 0

    def test_a_budget_of_nothing_lets_nothing_be_sent(self, tmp_path):
        with LLMServer() as server:
            with pytest.raises(BudgetReachedError):
                ask(tmp_path / "ledger", config(server, budget_usd=0), questions(1))
            assert server.asked.total() == 0

    def test_a_free_server_needs_no_budget(self, tmp_path):
        with LLMServer() as server:
            free = config(server, budget_usd=0, prices={"tiny": {"input": 0, "output": 0}})
            assert len(words(ask(tmp_path / "ledger", free, questions(5)))) == 5

    def test_the_budget_holds_and_a_larger_one_goes_on_where_it_stopped(self, tmp_path):
        budget = 0.0035
        with LLMServer(delay_s=0.005) as server:
            with pytest.raises(BudgetReachedError, match="budget_usd"):
                ask(tmp_path / "ledger", config(server, budget_usd=budget), questions(120))
            sums, asked = totals(tmp_path / "ledger"), server.asked_questions.total()
            assert 40 < asked < 120
            assert sums.spent_usd == pytest.approx(PAID * server.answered.total())
            assert budget - 0.001 < sums.spent_usd <= budget
            with pytest.raises(BudgetReachedError):  # the same command again spends next to nothing
                ask(tmp_path / "ledger", config(server, budget_usd=sums.spent_usd), questions(120))
            assert server.asked_questions.total() == asked
            assert len(words(ask(tmp_path / "ledger", config(server), questions(120)))) == 120
        assert max(server.asked_questions.values()) == 1

    def test_without_counts_of_tokens_the_worst_case_is_charged(self, tmp_path):
        with LLMServer(usage=False) as server:
            ask(tmp_path / "ledger", config(server), questions(4))
        sums = totals(tmp_path / "ledger")
        assert sums.paid_usd == 0
        assert sums.presumed_usd > 4 * 100 * 2.0 / 1e6

    def test_the_estimate_prices_what_is_not_known_yet(self, tmp_path):
        with LLMServer() as server:
            settings_ = config(server)
            before = estimate(questions(10), settings_, None, output_tokens_guess=50)
            assert (before.calls, before.known, before.output_tokens, before.measured) == (10, 0, 500, False)
            assert 0 < before.expected_usd < before.worst_usd
            ask(tmp_path / "ledger", settings_, questions(4))
            with Ledger.read(tmp_path / "ledger") as ledger:
                after = estimate(questions(10), settings_, ledger, output_tokens_guess=50)
            assert (after.calls, after.known, after.output_tokens, after.measured) == (6, 4, 60, True)
            assert after.spent_usd == pytest.approx(5 * PAID)  # four questions and the probe

    @given(st.text(max_size=50))
    def test_the_bound_of_prompt_tokens_is_above_its_bytes(self, text):
        assert prompt_tokens_bound(Request("a", ({"role": "user", "content": text},), "1")) > len(text.encode())


class TestKey:
    def test_the_key_reaches_its_server_and_nothing_else(self, tmp_path, monkeypatch, caplog, capfd):
        monkeypatch.setenv("TINY_KEY", KEY)
        caplog.set_level(logging.DEBUG)
        with LLMServer() as server:
            settings_ = config(server, api_key_env="TINY_KEY")
            server.script("noun 0", "echo")
            outcomes = ask(tmp_path / "ledger", settings_, questions(2))
            assert server.authorizations == {f"Bearer {KEY}"}
            server.script("noun 0", "echo401")
            with pytest.raises(RunStoppedError) as stopped:
                ask(tmp_path / "ledger", settings_, questions(1, attempt=1))
        shown = f"{stopped.value} {outcomes} {caplog.text} {''.join(capfd.readouterr())}"
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert KEY not in shown
        assert KEY.encode() not in kept
        assert b"[key]" in kept

    def test_a_key_for_openai_goes_to_no_other_server(self, tmp_path, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with LLMServer() as server:
            ask(tmp_path / "ledger", config(server), questions(1))
        assert KEY not in "".join(server.authorizations)

    def test_a_missing_key_names_its_variable(self, tmp_path, monkeypatch):
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        settings_ = LLMConfig(model="tiny", prices=PRICES)
        with pytest.raises(NounflowError, match="OPENAI_API_KEY"):
            ask(tmp_path / "ledger", settings_, questions(1))

    def test_a_password_in_the_url_is_refused(self):
        with pytest.raises(ValidationError, match="environment"):
            LLMConfig(model="tiny", base_url="https://me:secret@host/v1")

    def test_words_that_are_no_keys_stay(self):
        text = "a desk-mounted key-operated lock"
        assert redact(text, "none") == text


class TestLedger:
    def test_answers_survive_and_a_sending_without_an_ending_is_seen(self, tmp_path):
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
            (lost,) = ledger.unanswered()
            assert (lost.item, lost.sent_at, lost.worst_usd) == ("noun 1", 7.0, 0.5)
            assert (ledger.totals().paid_usd, ledger.totals().presumed_usd) == (0.25, 0.5)

    def test_rejected_answers_are_counted_by_their_latest_verdict(self, tmp_path):
        with Ledger.open(tmp_path / "ledger") as ledger:
            keys = []
            for request in questions(3):
                question = Question.of(request, "tiny", {})
                ledger.record_sending(question, max_output_tokens=9, worst_usd=0).result()
                keys.append(question.key)
            for key in keys:
                ledger.record_verdict(key, False, "too short").result()
            ledger.record_verdict(keys[0], True).result()
            assert ledger.verdict_counts() == {"": 1, "too short": 2}
            with pytest.raises(KeyError):
                ledger.record_verdict("unknown", True).result()

    @pytest.mark.parametrize("statement", ["DELETE FROM sendings", "UPDATE requests SET item = ''"])
    def test_nothing_is_changed_or_removed(self, tmp_path, statement):
        with Ledger.open(tmp_path / "ledger") as ledger:
            question = Question.of(questions(1)[0], "tiny", {})
            ledger.record_sending(question, max_output_tokens=9, worst_usd=0).result()
            with pytest.raises(Exception, match="only grows"):
                ledger.submit(lambda connection: connection.execute(statement)).result()

    def test_a_second_writer_is_refused_and_a_reader_is_not(self, tmp_path):
        with Ledger.open(tmp_path / "ledger"):
            with pytest.raises(NounflowError, match="Another process"):
                Ledger.open(tmp_path / "ledger")
            with Ledger.read(tmp_path / "ledger") as reader:
                assert reader.totals().sendings == 0

    def test_a_file_that_is_no_ledger_is_refused_and_left_alone(self, tmp_path):
        (tmp_path / "ledger").write_bytes(b"not a database at all, but long enough to look at" * 20)
        before = (tmp_path / "ledger").read_bytes()
        with pytest.raises(DamagedFileError):
            Ledger.open(tmp_path / "ledger")
        assert (tmp_path / "ledger").read_bytes() == before

    def test_thousands_of_keys_are_looked_up_at_once(self, tmp_path):
        known = [Question.of(request, "tiny", {}) for request in questions(5_000)]
        numbers = range(1, len(known) + 1)

        def fill(connection):
            rows = [(n, q.key, q.request.item, q.request.messages_hash) for n, q in zip(numbers, known, strict=True)]
            connection.executemany("INSERT INTO requests VALUES (?, ?, 'tiny', '1', '{}', ?, 0, ?)", rows)
            connection.executemany("INSERT INTO sendings VALUES (?, ?, NULL, 0, 9, 0)", [(n, n) for n in numbers])
            values = [(n, "x" * 600) for n in numbers]
            connection.executemany("INSERT INTO endings VALUES (?, 0, 'answered', 1, 1, 0, '', ?)", values)

        with Ledger.open(tmp_path / "ledger") as ledger:
            ledger.submit(fill).result()
            entries = ledger.look_up([question.key for question in known])
        assert set(entries) == {question.key for question in known}
        assert all(entry.last.outcome == "answered" for entry in entries.values())

    def test_five_hundred_at_a_time_without_loss(self, tmp_path):
        with LLMServer(gate=500) as server:
            start = time.perf_counter()
            outcomes = ask(tmp_path / "ledger", config(server, concurrency=500, timeout_s=60), questions(1000))
            seconds = time.perf_counter() - start
        print(f"1,000 requests, 500 at a time: {seconds:.1f} s, {server.max_open_batches} at once")
        assert len(words(outcomes)) == 1000
        assert max(server.asked_questions.values()) == 1
        assert server.max_open_batches == 500

    def test_memory_does_not_grow_with_the_number_of_requests(self, tmp_path, monkeypatch):
        monkeypatch.setattr("nounflow.llm.chunks.CHUNK", 20)

        def stream(n):
            for i in range(n):
                yield Request(f"noun {i}", ({"role": "user", "content": f"noun {i % 50}" + " " * 4000},), "1")

        async def run(client, n):
            async for _ in client.ask(stream(n)):
                pass
            async for _ in client.ask(stream(n)):  # all replayed
                pass
            return tracemalloc.get_traced_memory()[1]

        async def both(settings_):
            with Ledger.open(tmp_path / "ledger") as ledger:
                async with open_client(settings_, ledger) as client:
                    return [await run(client, n) for n in (80, 480)]

        with LLMServer() as server:
            server.bodies = deque(maxlen=1)
            tracemalloc.start()
            small, large = asyncio.run(both(config(server)))
            tracemalloc.stop()
        assert large < 1.5 * small  # 400 requests and answers more would be 3 MB more, twice as much


class TestKill:
    @pytest.mark.parametrize("after", [5, 40])
    def test_after_a_kill_no_answered_request_is_sent_again(self, tmp_path, askers, after):
        path, n = tmp_path / "ledger", 100
        with LLMServer(delay_s=0.02) as server:
            settings_ = config(server, concurrency=4)
            askers.start(path, settings_, n, server)
            seen = [askers.answered() for _ in range(after)]
            server.batches.kill()
            askers.wait()
            with Ledger.read(path) as ledger:
                under_way = {lost.item for lost in ledger.unanswered()}
                charged = ledger.totals().presumed_usd
            sent = set(server.asked_questions)
            assert len(under_way) <= 4
            assert bool(under_way) == (charged > 0)
            outcomes = ask(path, settings_, questions(n))
        assert words(outcomes) == {f"noun {i}": (f'{{"word": "noun {i}"}}',) for i in range(n)}
        replayed = {outcome.request.item for outcome in outcomes if outcome.replayed}
        assert set(seen) <= replayed
        assert sent - under_way <= replayed
        twice = {item for item, count in server.asked_questions.items() if count > 1}
        assert twice <= under_way

    @settings(max_examples=12, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 11), st.sampled_from(["429:0.01", "500", "drop", "malformed", "truncated", "kill"])
            ),
            max_size=8,
            unique=True,
        )
    )
    def test_whatever_fails_and_whenever_it_is_killed_the_answers_are_the_undisturbed_ones(
        self, tmp_path_factory, askers, faults
    ):
        path, lost = tmp_path_factory.mktemp("kills") / "ledger", set()
        with LLMServer() as server:
            for noun, fault in faults:
                server.script(f"noun {noun}", fault)
            settings_ = config(server, max_attempts=20, concurrency=3)
            for _ in range(sum(fault == "kill" for _, fault in faults)):
                askers.start(path, settings_, 12, server)
                askers.wait()
                with Ledger.read(path) as ledger:
                    lost |= {sending.item for sending in ledger.unanswered()}
            outcomes = ask(path, settings_, questions(12))
        assert words(outcomes) == {f"noun {i}": (f'{{"word": "noun {i}"}}',) for i in range(12)}
        assert {item for item, n in server.answered.items() if n > 1 and item.startswith("noun")} <= lost


class TestReading:
    @given(st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
    def test_usage_of_any_json_is_read_without_an_error(self, value):
        assert read_usage(json.dumps({"usage": value})) is not None
        assert read_usage(json.dumps(value)) == TokenUsage()

    @pytest.mark.parametrize("raw", ["", "[]", "<html>", '{"choices": null}', '{"choices": []}', '{"choices": [1]}'])
    def test_a_body_that_is_no_completion_is_malformed(self, raw):
        with pytest.raises(MalformedAnswerError):
            read_answer(raw)
