"""An asker in batches that is killed at any point goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_asking import PAID, Askers, ask, batch_config, created, get_outcomes, questions, right, totals, words
from llm_batches import FATES
from llm_server import LLMServer

PROBE = 'Answer with the JSON object {"word": "yes"}.'
CALLS = ("upload", "create", "retrieve", "content")
POINTS = [(call, kill) for call in CALLS for kill in ("kill", "kill_after")]
LINE_FAULTS = ["429:0.01", "500", "drop", "malformed", "truncated"]
CALL_FAULTS = ["429:0.01", "500", "drop", "drop_after", "500_after"]


@pytest.mark.parametrize(("call", "kill"), POINTS)
def test_killed_at_any_call_it_goes_on_where_it_was(tmp_path: Path, askers: Askers, call: str, kill: str) -> None:
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
def test_killed_while_it_reads_results_it_reads_on(tmp_path: Path, askers: Askers, after: int) -> None:
    n = 1500  # results are written in chunks
    with LLMServer() as server:
        settings_ = batch_config(server, batch={"max_requests": 1500})
        askers.start(tmp_path / "ledger", settings_, n, server)
        seen = [askers.answered() for _ in range(after)]
        server.batches.kill()
        askers.wait()
        outcomes = get_outcomes(tmp_path / "ledger", settings_, questions(n))
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
    tmp_path_factory: pytest.TempPathFactory,
    askers: Askers,
    lines: list[tuple[int, str]],
    fates: list[str],
    calls: list[tuple[str, str]],
    kills: list[tuple[int, tuple[str, str]]],
) -> None:
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
