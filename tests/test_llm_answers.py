"""What a language model answers: kept, replayed, asked again where the question is another one, and read."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_asking import ask, config, get_outcomes, questions, right, unanswered, words
from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.errors import MismatchError
from nounflow.llm.answers import MalformedAnswerError, read_answer, read_usage
from nounflow.llm.client import LLMClient, open_client
from nounflow.llm.ledger import Ledger
from nounflow.llm.records import Totals
from nounflow.llm.requests import Request, TokenUsage


def test_a_second_run_gives_the_same_answers_and_sends_nothing(tmp_path: Path) -> None:
    with LLMServer() as server:
        first = ask(tmp_path / "ledger", config(server), questions(30))
        asked = server.asked.total()
        again = get_outcomes(tmp_path / "ledger", config(server), questions(30))
    assert words(first) == right(30)
    assert words(again) == words(first)
    assert all(outcome.replayed and outcome.usd == 0 for outcome in again)
    assert server.asked.total() == asked
    assert server.asked_questions.total() == 30


def test_a_known_answer_needs_no_server(tmp_path: Path) -> None:
    with LLMServer() as server:
        settings_ = config(server)
        first = ask(tmp_path / "ledger", settings_, questions(3))
    assert words(ask(tmp_path / "ledger", settings_, questions(3))) == words(first)


@pytest.mark.parametrize("change", [{"prompt_version": "2"}, {"attempt": 1}, {"schema": {"type": "object"}}])
def test_another_prompt_attempt_or_schema_is_another_question(tmp_path: Path, change: dict[str, Any]) -> None:
    with LLMServer() as server:
        ask(tmp_path / "ledger", config(server), questions(2))
        ask(tmp_path / "ledger", config(server), questions(2, **change))
    assert server.asked_questions.total() == 4


def test_new_words_under_an_old_prompt_version_are_refused(tmp_path: Path) -> None:
    other = Request("noun 0", ({"role": "user", "content": "other words"},), prompt_version="1")
    with LLMServer() as server:
        ask(tmp_path / "ledger", config(server), questions(1))
        with pytest.raises(MismatchError, match="version"):
            ask(tmp_path / "ledger", config(server), [other])
    assert server.asked["other words"] == 0


def test_requests_may_come_from_an_async_iterator(tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[Request]:
        for request in questions(7):
            yield request

    with LLMServer() as server:
        assert len(words(ask(tmp_path / "ledger", config(server), stream()))) == 7


@pytest.mark.parametrize("gaps", [{"schema": False}, {"choices": False}, {"room_name": "max_completion_tokens"}])
def test_a_server_that_can_do_less_is_asked_for_less(tmp_path: Path, gaps: dict[str, Any]) -> None:
    requests = questions(2, schema={"type": "object"}, choices=3)
    with LLMServer(**gaps) as server:
        outcomes = get_outcomes(tmp_path / "ledger", config(server), requests)
    assert [outcome.status for outcome in outcomes] == ["answered"] * 2
    assert all(len(outcome.texts) == (1 if "choices" in gaps else 3) for outcome in outcomes)
    assert server.asked_questions.total() == 2  # no question was spent on finding out
    told = any("JSON schema" in message["content"] for message in server.bodies[-1]["messages"])
    assert told == ("schema" in gaps)


def test_an_asker_that_stops_early_leaves_no_request_without_an_ending(tmp_path: Path) -> None:
    async def run() -> Totals:
        with Ledger.open(tmp_path / "ledger") as ledger:
            async with open_client(config(server), ledger) as client:
                outcomes = client.ask(questions(100))
                async for _ in outcomes:
                    break
                assert isinstance(outcomes, AsyncGenerator)
                await outcomes.aclose()
            assert unanswered(ledger) == []
            return ledger.totals()

    with LLMServer(delay_s=0.05) as server:
        sums = asyncio.run(run())
    assert sums.answered == server.answered.total() < 100


def test_five_hundred_at_a_time_without_loss(tmp_path: Path) -> None:
    with LLMServer(gate=500) as server:
        start = time.perf_counter()
        outcomes = ask(tmp_path / "ledger", config(server, concurrency=500, timeout_s=60), questions(1000))
        seconds = time.perf_counter() - start
    print(f"1,000 requests, 500 at a time: {seconds:.1f} s, {server.max_open_batches} at once")
    assert len(words(outcomes)) == 1000
    assert max(server.asked_questions.values()) == 1
    assert server.max_open_batches == 500


def test_memory_does_not_grow_with_the_number_of_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nounflow.llm.outcomes.CHUNK", 20)

    def stream(n: int) -> Iterator[Request]:
        for i in range(n):
            yield Request(f"noun {i}", ({"role": "user", "content": f"noun {i % 50}" + " " * 4000},), "1")

    async def run(client: LLMClient, n: int) -> int:
        async for _ in client.ask(stream(n)):
            pass
        async for _ in client.ask(stream(n)):  # all replayed
            pass
        return tracemalloc.get_traced_memory()[1]

    async def both(settings_: LLMConfig) -> list[int]:
        with Ledger.open(tmp_path / "ledger") as ledger:
            async with open_client(settings_, ledger) as client:
                return [await run(client, n) for n in (80, 480)]

    with LLMServer() as server:
        server.bodies = deque(maxlen=1)
        tracemalloc.start()
        small, large = asyncio.run(both(config(server)))
        tracemalloc.stop()
    assert large < 1.5 * small  # 400 requests and answers more would be 3 MB more, twice as much


@given(st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_usage_of_any_json_is_read_without_an_error(value: object) -> None:
    assert read_usage(json.dumps({"usage": value})) is not None
    assert read_usage(json.dumps(value)) == TokenUsage()


@pytest.mark.parametrize("raw", ["", "[]", "<html>", '{"choices": null}', '{"choices": []}', '{"choices": [1]}'])
def test_a_body_that_is_no_completion_is_malformed(raw: str) -> None:
    with pytest.raises(MalformedAnswerError):
        read_answer(raw)
