"""How a batch and its lines end: what is left unanswered is asked again, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from llm_asking import PAID, ask, batch_config, created, get_outcomes, questions, right, totals, words
from llm_batches import FATES
from llm_server import LLMServer

from nounflow.llm.pace import RunStoppedError


@pytest.mark.parametrize("fate", FATES)
def test_what_a_batch_leaves_unanswered_is_asked_again_and_nothing_else(tmp_path: Path, fate: str) -> None:
    with LLMServer() as server:
        server.batches.fates(fate, fate)
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(25))) == right(25)
        assert get_outcomes(tmp_path / "ledger", batch_config(server), questions(25))[0].replayed
    assert set(server.answered.values()) == {1}
    assert set(server.asked_questions.values()) == {1}
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(25 * PAID / 2 + PAID)


@pytest.mark.parametrize("fault", ["429", "500", "malformed", "drop"])
def test_a_line_that_failed_is_asked_again_alone(tmp_path: Path, fault: str) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault, fault)
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(10))) == right(10)
    assert server.asked_questions == {f"noun {i}": 3 if i == 1 else 1 for i in range(10)}


@pytest.mark.parametrize("fault", ["content", "filtered", "refusal"])
def test_a_refused_line_is_never_sent_again(tmp_path: Path, fault: str) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault)
        for _ in range(2):
            outcomes = get_outcomes(tmp_path / "ledger", batch_config(server), questions(10))
            (refused,) = (outcome for outcome in outcomes if outcome.status == "refused")
            assert refused.request.item == "noun 1"
            assert refused.detail
    assert server.asked["noun 1"] == 1


def test_a_truncated_line_is_asked_once_more_with_more_room(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 0", "truncated")
        server.script("noun 1", "truncated", "truncated")
        for _ in range(2):
            outcomes = {
                o.request.item: o for o in get_outcomes(tmp_path / "ledger", batch_config(server), questions(2))
            }
            assert outcomes["noun 0"].status == "answered"
            assert outcomes["noun 1"].status == "truncated"
    rooms = [body["max_tokens"] for body in server.bodies if body["messages"][0]["content"].startswith("noun")]
    assert sorted(rooms) == [100, 100, 400, 400]


def test_batches_that_always_fail_end_the_run_with_their_reason(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.fates(*["failed"] * 50)
        settings_ = batch_config(server, max_attempts=2, failures_in_a_row=5)
        with pytest.raises(RunStoppedError, match="invalid_request"):
            ask(tmp_path / "ledger", settings_, questions(10))
        assert created(server) == 2
    assert totals(tmp_path / "ledger").unanswered == 0


def test_a_line_that_always_fails_is_given_up_and_the_next_run_asks_again(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 1", "500", "500")
        outcomes = ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(5))
        assert [o.request.item for o in outcomes if o.status == "failed"] == ["noun 1"]
        outcomes = ask(tmp_path / "ledger", batch_config(server, max_attempts=2), questions(5))
    assert words(outcomes) == right(5)
    assert server.asked["noun 0"] == 1


def test_a_queue_that_stays_full_ends_at_the_deadline(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.fates(*["queue"] * 1000)
        with pytest.raises(RunStoppedError, match="deadline"):
            ask(tmp_path / "ledger", batch_config(server, deadline_s=1), questions(5))
        assert created(server) < 10  # the waits grow
    assert totals(tmp_path / "ledger").unanswered == 0


@pytest.mark.parametrize("fault", ["401", "quota"])
def test_a_line_without_access_stops_everything_once_the_batch_is_read(tmp_path: Path, fault: str) -> None:
    with LLMServer() as server:
        server.script("noun 2", fault)
        with pytest.raises(RunStoppedError, match="refuses all requests"):
            ask(tmp_path / "ledger", batch_config(server), questions(10))
    assert totals(tmp_path / "ledger").answered == 9 + 1


def test_a_batch_that_takes_too_long_is_cancelled_and_the_rest_asked_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with LLMServer() as server:
        server.batches.fates("stuck")
        settings_ = batch_config(server, batch={"max_wait_s": 0.3})
        assert words(ask(tmp_path / "ledger", settings_, questions(10))) == right(10)
    assert set(server.asked_questions.values()) == {1}
    assert server.batches.calls["cancel"] == 1
    assert "cancelled, as `max_wait_s` is over" in capfd.readouterr().err


def test_the_deadline_leaves_a_batch_that_the_next_run_reads(tmp_path: Path) -> None:
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


def test_a_batch_at_another_server_is_not_asked_here(tmp_path: Path) -> None:
    with LLMServer() as server, LLMServer() as other:
        server.batches.polls = 10**9
        with pytest.raises(RunStoppedError, match="deadline"):
            ask(tmp_path / "ledger", batch_config(server, deadline_s=0.5), questions(3))
        with pytest.raises(RunStoppedError, match="another server"):
            ask(tmp_path / "ledger", batch_config(other), questions(3))
        assert other.asked.total() + other.batches.calls.total() == 0
