"""An asker that is killed loses no answer, and pays none twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_asking import Askers, ask, config, get_outcomes, questions, right, unanswered, words
from llm_server import LLMServer

from nounflow.llm.ledger import Ledger


@pytest.mark.parametrize("after", [5, 40])
def test_after_a_kill_no_answered_request_is_sent_again(tmp_path: Path, askers: Askers, after: int) -> None:
    path, n = tmp_path / "ledger", 100
    with LLMServer(delay_s=0.02) as server:
        settings_ = config(server, concurrency=4)
        askers.start(path, settings_, n, server)
        seen = [askers.answered() for _ in range(after)]
        server.batches.kill()
        askers.wait()
        with Ledger.read(path) as ledger:
            under_way = {item for item, _, _ in unanswered(ledger)}
            charged = ledger.totals().presumed_usd
        sent = set(server.asked_questions)
        assert len(under_way) <= 4
        assert bool(under_way) == (charged > 0)
        outcomes = get_outcomes(path, settings_, questions(n))
    assert words(outcomes) == right(n)
    replayed = {outcome.request.item for outcome in outcomes if outcome.replayed}
    assert set(seen) <= replayed
    assert sent - under_way <= replayed
    twice = {item for item, count in server.asked_questions.items() if count > 1}
    assert twice <= under_way


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(["429:0.01", "500", "drop", "malformed", "truncated", "kill"])),
        max_size=8,
        unique=True,
    )
)
def test_whatever_fails_and_whenever_it_is_killed_the_answers_are_the_undisturbed_ones(
    tmp_path_factory: pytest.TempPathFactory, askers: Askers, faults: list[tuple[int, str]]
) -> None:
    path, lost = tmp_path_factory.mktemp("kills") / "ledger", set()
    with LLMServer() as server:
        for noun, fault in faults:
            server.script(f"noun {noun}", fault)
        settings_ = config(server, max_attempts=20, concurrency=3)
        for _ in range(sum(fault == "kill" for _, fault in faults)):
            askers.start(path, settings_, 12, server)
            askers.wait()
            with Ledger.read(path) as ledger:
                lost |= {item for item, _, _ in unanswered(ledger)}
        outcomes = ask(path, settings_, questions(12))
    assert words(outcomes) == right(12)
    assert {item for item, n in server.answered.items() if n > 1 and item.startswith("noun")} <= lost
