"""A server's faults: what is tried again, what is given up, what ends the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_asking import PAID, ask, batch_config, config, get_outcomes, questions, right, totals, words
from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.llm.faults import is_final
from nounflow.llm.pace import RunStoppedError


@pytest.mark.parametrize("fault", ["500", "503", "408", "drop", "malformed"])
def test_a_passing_fault_is_tried_again(tmp_path: Path, fault: str) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault, fault)
        outcomes = ask(tmp_path / "ledger", config(server), questions(3))
    assert len(words(outcomes)) == 3
    assert server.asked["noun 1"] == 3


def test_a_lasting_fault_gives_the_request_up_and_the_next_run_asks_again(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 1", "500", "500")
        outcomes = ask(tmp_path / "ledger", config(server, max_attempts=2), questions(3))
        assert [o.request.item for o in outcomes if o.status == "failed"] == ["noun 1"]
        outcomes = ask(tmp_path / "ledger", config(server, max_attempts=2), questions(3))
    assert len(words(outcomes)) == 3
    assert server.asked["noun 0"] == 1


def test_too_many_requests_is_not_an_attempt_and_its_wait_is_kept(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 0", "429:0.3", "429:0.3", "429")
        start = time.monotonic()
        outcomes = get_outcomes(tmp_path / "ledger", config(server, max_attempts=1), questions(1))
        assert time.monotonic() - start > 0.6
    assert outcomes[0].status == "answered"


def test_a_wait_that_is_too_long_ends_the_run(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 0", "429:3600")
        with pytest.raises(RunStoppedError, match="3,600 s"):
            ask(tmp_path / "ledger", config(server), questions(1))


def test_endless_throttling_ends_at_the_deadline(tmp_path: Path) -> None:
    with LLMServer(always="429") as server, pytest.raises(RunStoppedError, match="deadline"):
        ask(tmp_path / "ledger", config(server, deadline_s=0.5), questions(1))


@pytest.mark.parametrize(("fault", "calls"), [("content", 1), ("filtered", 1), ("refusal", 1)])
def test_a_refused_request_is_never_sent_again(tmp_path: Path, fault: str, calls: int) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault)
        for _ in range(2):
            outcomes = get_outcomes(tmp_path / "ledger", config(server), questions(3))
            (refused,) = (outcome for outcome in outcomes if outcome.status == "refused")
            assert refused.request.item == "noun 1"
            assert refused.detail
    assert server.asked["noun 1"] == calls


@pytest.mark.parametrize("fault", ["400", "413", "422"])
def test_what_a_server_will_not_take_as_it_is_is_asked_again_by_a_later_run_only(tmp_path: Path, fault: str) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault)
        (failed,) = (o for o in ask(tmp_path / "ledger", config(server), questions(3)) if o.status == "failed")
        assert failed.detail.startswith(f"HTTP {fault}")
        assert server.asked["noun 1"] == 1
        assert len(words(ask(tmp_path / "ledger", config(server), questions(3)))) == 3
    assert server.asked["noun 1"] == 2


@pytest.mark.parametrize("fault", ["429 in a 200", "rate_limit_exceeded in a 200"])
def test_an_error_in_a_200_counts_as_its_own_code_says_and_costs_nothing(tmp_path: Path, fault: str) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault, fault)
        outcomes = ask(tmp_path / "ledger", config(server, max_attempts=1), questions(3))
    assert len(words(outcomes)) == 3
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(4 * PAID)  # a probe and three answers


def body(text: str = "", reason: str = "stop", tokens: str = "20", error: str = "null") -> str:
    """A fault of the server: this answer."""
    choice = f'{{"message": {{"content": "{text}"}}, "finish_reason": "{reason}", "error": {error}}}'
    return f'200 {{"choices": [{choice}], "usage": {{"prompt_tokens": {tokens}, "completion_tokens": 10}}}}'


@pytest.mark.parametrize("settings_of", [config, batch_config])
@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (body("yes", tokens="1e999"), ("yes",)),
        (body("yes", tokens="1" + "0" * 30), ("yes",)),
        (body("yes\\ud83d"), ("yes\ufffd",)),
        ('400 {"error": {"message": "no \\ud83d"}}', "HTTP 400: no \ufffd"),
        ('200 {"error": {"message": "no \\ud83d", "type": "invalid_request"}}', "HTTP 400: no \ufffd"),
        (body(reason="content_filter: SAFETY"), "the server's content filter stopped the answer"),
    ],
)
def test_no_word_or_number_of_a_server_loses_an_answer(
    tmp_path: Path, settings_of: Callable[[LLMServer], LLMConfig], fault: str, found: tuple[str] | str
) -> None:
    with LLMServer() as server:
        server.script("noun 1", fault)
        outcomes = {o.request.item: o for o in ask(tmp_path / "ledger", settings_of(server), questions(3))}
    said = outcomes["noun 1"]
    assert (said.texts if said.texts else said.detail) == found
    assert len(outcomes) == 3
    assert server.asked["noun 1"] == 1


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "model_length", "error"])
def test_an_answer_that_was_cut_off_is_known_by_any_server_s_word_for_it(tmp_path: Path, reason: str) -> None:
    with LLMServer() as server:
        server.script("noun 1", body("half", reason))
        assert words(ask(tmp_path / "ledger", config(server), questions(3))) == right(3)


def test_an_error_within_a_choice_counts_as_its_own_code_says(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 1", *[body(reason="error", error='{"code": 429, "message": "slow down"}')] * 2)
        assert words(ask(tmp_path / "ledger", config(server, max_attempts=1), questions(3))) == right(3)


@pytest.mark.parametrize("settings_of", [config, batch_config])
def test_where_a_model_has_no_more_room_what_was_cut_off_stays(
    tmp_path: Path, settings_of: Callable[..., LLMConfig]
) -> None:
    with LLMServer() as server:
        server.script("noun 1", "truncated", *["400"] * 2)
        found = [get_outcomes(tmp_path / "ledger", settings_of(server, failures_in_a_row=1), questions(2))[1]]
        found += get_outcomes(tmp_path / "ledger", settings_of(server, failures_in_a_row=1), questions(2)[1:])
    assert [(outcome.status, bool(outcome.texts)) for outcome in found] == [("truncated", True)] * 2


def test_a_refusal_of_set_up_that_an_older_version_kept_is_asked_again() -> None:
    assert is_final("the server's content filter stopped the answer")
    assert is_final("HTTP 400: rejected by the content management policy")
    assert not is_final("HTTP 400: the model's maximum context length is 1024 tokens")


def test_a_redirect_stops_the_run_and_is_named(tmp_path: Path) -> None:
    with LLMServer(always="redirect") as server, pytest.raises(RunStoppedError, match=r"https://elsewhere\.example"):
        ask(tmp_path / "ledger", config(server), questions(3))


@pytest.mark.parametrize("fault", ["401", "403", "404", "quota"])
def test_no_access_stops_everything(tmp_path: Path, fault: str) -> None:
    with LLMServer(delay_s=0.01) as server:
        server.script("noun 5", fault)
        with pytest.raises(RunStoppedError, match="refuses all requests"):
            ask(tmp_path / "ledger", config(server, concurrency=2), questions(200))
    assert server.asked_questions.total() < 20
    assert totals(tmp_path / "ledger").unanswered == 0


def test_a_dead_server_ends_the_run(tmp_path: Path) -> None:
    with LLMServer() as server:
        settings_ = config(server, failures_in_a_row=3, max_attempts=2)
    with pytest.raises(RunStoppedError, match="tiny request got no answer"):
        ask(tmp_path / "ledger", settings_, questions(100))
    assert totals(tmp_path / "ledger").spent_usd == 0  # nothing reached a server


def test_a_server_that_fails_on_every_question_ends_the_run(tmp_path: Path) -> None:
    with LLMServer() as server:
        for i in range(100):
            server.script(f"noun {i}", "500", "500")
        settings_ = config(server, failures_in_a_row=3, max_attempts=2, concurrency=2)
        with pytest.raises(RunStoppedError, match="3 requests in a row"):
            ask(tmp_path / "ledger", settings_, questions(100))
    assert server.asked_questions.total() < 20


def test_a_slow_answer_is_given_up_and_presumed_paid(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 0", "slow")
        outcomes = get_outcomes(tmp_path / "ledger", config(server, timeout_s=0.3), questions(1))
    assert outcomes[0].status == "answered"
    assert totals(tmp_path / "ledger").presumed_usd >= 100 * 2.0 / 1e6


def test_a_truncated_answer_is_asked_once_more_with_more_room(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.script("noun 0", "truncated")
        server.script("noun 1", "truncated", "truncated")
        for _ in range(2):
            outcomes = {o.request.item: o for o in get_outcomes(tmp_path / "ledger", config(server), questions(2))}
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
def test_whatever_passing_faults_occur_the_answers_are_the_undisturbed_ones(
    tmp_path_factory: pytest.TempPathFactory, faults: list[tuple[int, str]]
) -> None:
    path = tmp_path_factory.mktemp("faults") / "ledger"
    with LLMServer() as server:
        for noun, fault in faults:
            server.script(f"noun {noun}", fault)
        settings_ = config(server, max_attempts=20, concurrency=4)
        outcomes = get_outcomes(path, settings_, questions(10))
        outcomes = [o for o in outcomes if o.status != "truncated"]
        expected = right(10)
        cut_twice = {o.request.item for o in outcomes} ^ set(expected)
        assert words(outcomes) == {item: texts for item, texts in expected.items() if item not in cut_twice}
        assert cut_twice <= {f"noun {n}" for n, f in faults if faults.count((n, f)) > 1 and f == "truncated"}
    assert totals(path).unanswered == 0
