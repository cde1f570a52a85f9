"""Calls and tokens a minute: the buckets alone, and the client against a server that sends its limits."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_asking import ask, config, questions, words
from llm_server import LLMServer

from nounflow.llm.limiter import Bucket, seconds
from nounflow.llm.pace import RunStoppedError
from nounflow.retry_after import retry_after


def taken_at(bucket: Bucket, amounts: list[float]) -> list[float]:
    """When each amount is taken by one who always takes as soon as he may."""
    now, times = 0.0, []
    for amount in amounts:
        now += bucket.wait_s(amount, now)
        bucket.take(amount, now)
        times.append(now)
    return times


@given(st.floats(1, 1e5), st.lists(st.floats(0.1, 3000), min_size=1, max_size=60))
def test_no_minute_has_more_than_the_limit_a_second_of_it_and_what_was_begun(
    limit: float, amounts: list[float]
) -> None:
    burst = max(limit / 60, 1.0)
    times = taken_at(Bucket(limit / 60, burst, burst, 0.0), amounts)
    for start in times:
        within = [amount for amount, at in zip(amounts, times, strict=True) if start <= at < start + 60]
        assert sum(within[:-1]) <= limit + burst + max(amounts) + 1e-6 * limit


@given(st.floats(1, 1e5), st.lists(st.floats(0.1, 1e6), min_size=1, max_size=20))
def test_nothing_waits_for_ever_however_large_it_is(limit: float, amounts: list[float]) -> None:
    burst = max(limit / 60, 1.0)
    times = taken_at(Bucket(limit / 60, burst, burst, 0.0), amounts)
    assert times[-1] <= sum(amounts) / (limit / 60) + 61


@pytest.mark.parametrize(
    ("text", "value"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("2m59.56s", 179.56), ("17", 17), ("0.5", 0.5),
     ("1d", 86_400), ("soon", None), ("", None), ("-3", None), ("1x", None), ("inf", None), (None, None)],
)  # fmt: skip
def test_a_reset_is_read_as_servers_write_it(text: str | None, value: float | None) -> None:
    assert seconds(text) == (pytest.approx(value) if value is not None else None)


@pytest.mark.parametrize("limit", [{"requests_per_minute": 1200}, {"tokens_per_minute": 1200 * 106}])
def test_the_limits_of_the_config_hold(tmp_path: Path, limit: dict[str, int]) -> None:
    with LLMServer() as server:
        start = time.monotonic()
        outcomes = ask(tmp_path / "ledger", config(server, **limit), questions(39))  # a question has 106 tokens
        taken = time.monotonic() - start
    assert len(words(outcomes)) == 39
    assert taken > (40 - 20) / 20 - 0.1  # a second's worth, 20, at once; then 20 a second


def test_what_the_server_says_is_left_is_kept_to(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.headers = [
            "x-ratelimit-limit-requests: 40", "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 2s",
        ]  # fmt: skip
        start = time.monotonic()
        outcomes = ask(tmp_path / "ledger", config(server), questions(10))
        taken = time.monotonic() - start
    assert len(words(outcomes)) == 10
    assert taken > 10 / 20 - 0.05  # nothing is left, and 20 a second come back


@pytest.mark.parametrize(
    "headers",
    [
        {"limit": "-1", "remaining": "0", "reset": "1s"},
        {"limit": "many", "remaining": "few", "reset": "soon"},
        {"limit": "10", "remaining": "20", "reset": "1s"},
        {"limit": "1000", "remaining": "900", "reset": "0s"},
        {"remaining": "0"},
    ],
)
def test_headers_that_make_no_sense_change_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    with LLMServer() as server:
        server.headers = [f"x-ratelimit-{name}-requests: {value}" for name, value in headers.items()]
        start = time.monotonic()
        assert len(words(ask(tmp_path / "ledger", config(server), questions(20)))) == 20
        assert time.monotonic() - start < 5


def test_headers_that_promise_nothing_are_put_to_the_test(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.headers = [
            "x-ratelimit-limit-tokens: 1000", "x-ratelimit-remaining-tokens: 1000",
            "x-ratelimit-limit-requests: 1", "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 9000h",
        ]  # fmt: skip
        outcomes = ask(tmp_path / "ledger", config(server, max_wait_s=0.1), questions(3))
    assert len(words(outcomes)) == 3


def test_a_limit_that_lets_nothing_through_ends_at_the_deadline(tmp_path: Path) -> None:
    with LLMServer() as server, pytest.raises(RunStoppedError, match="deadline"):
        ask(tmp_path / "ledger", config(server, requests_per_minute=0.01, deadline_s=0.5), questions(3))


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17", 17), ("1.2s", 1.2), ("6m0s", 360), ("20ms", 0.02), ("1h", 3600),
        (str(NOW + 5), 5), (str(int((NOW + 5) * 1000)), 5), (str(NOW - 5), 0),
        (datetime.fromtimestamp(NOW + 5, UTC).isoformat(), 5), ("Fri, 15 Jan 2027 08:00:05 GMT", 5),
        ("-3", None), ("nan", None), ("inf", None), ("soon", None), ("99999999", None), ("", None),
        ("Fri, 15 Jan 99999 08:00:05 GMT", None), (None, None),
    ],
)  # fmt: skip
def test_times_are_read_in_any_form_and_nonsense_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, text: str | None, expected: float | None
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert seconds(text) == (None if expected is None else pytest.approx(expected, abs=1e-3))


@pytest.mark.parametrize(
    "value", ["0", "-5", "nan", "inf", "Fri, 15 Jan 99999 08:00:05 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"]
)
def test_a_wish_to_wait_that_makes_no_sense_is_no_wish(value: str) -> None:
    assert retry_after({"retry-after": value}) is None
    assert retry_after({"retry-after": "2"}) == 2
