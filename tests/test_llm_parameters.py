"""What shapes a language model's answers: sent with each request, part of its key, and a reason to run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llm_asking import ask, config, questions
from llm_server import LLMServer

from nounflow.annotation.judgements import tool_of
from nounflow.config.annotators import OpenAIAnnotatorConfig
from nounflow.config.base import OPERATIONAL
from nounflow.config.captions import LLMCaptionsConfig
from nounflow.config.llm import LLMConfig
from nounflow.llm.http import Server, body_of
from nounflow.llm.outcomes import question_of
from nounflow.llm.requests import Request

USUAL = {"model": "tiny"}
MESSAGES = ({"role": "user", "content": "noun 1"},)
PLAIN = Request("noun 1", MESSAGES, "1")
RICH = Request("noun 1", MESSAGES, "1", schema={"type": "object"}, attempt=2, choices=3)
CHANGES = {"model": "other", "temperature": 0.5, "max_output_tokens": 77, "top_p": 0.9, "sampling_seed": 3}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def key(request: Request, **server: Any) -> str:
    return question_of(LLMConfig(**USUAL | server), request).key


def judge(server: dict[str, Any], **changes: int | str) -> OpenAIAnnotatorConfig:
    return OpenAIAnnotatorConfig.model_validate({"kind": "openai", "server": USUAL | server, **changes})


def test_the_keys_of_existing_ledgers_stay_valid() -> None:
    """Digests of release 0.1.0: with others every answer would be paid again."""
    assert key(PLAIN) == "5f1b052720096312d6ae3865d579aa5fec3f50cc315041f82ce9de2d91b67780"
    assert key(RICH) == "62a981ab884331db57b7e7b41ab54b9fa3223ef7fd06385532862c4c4111475d"
    warm = {"temperature": 0.5, "max_output_tokens": 77}
    assert key(PLAIN, **warm) == "fc1845e60070ca519ad604679eb8e9ea67545147e9b8ee28d8dea4083e4022c5"
    assert key(RICH, **warm) == "5fca276dec015441bedaa1d33016daf8f13eb307e1a09d92a0209e442a105a5a"


def test_existing_judgements_stay_those_of_the_same_judge() -> None:
    assert tool_of(judge({})) == "openai-1 tiny c1835265"
    assert tool_of(judge({"temperature": 0.5})) == "openai-1 tiny 9dbb8b5b"
    assert tool_of(judge({"temperature": 0.5}, max_votes=7, detail="low")) == "openai-1 tiny fe1406fa"


def test_each_parameter_that_is_sent_is_tried_here() -> None:
    assert set(LLMConfig.sent_names()) == set(CHANGES)


@pytest.mark.parametrize(("name", "value"), CHANGES.items())
class TestAnotherValue:
    def test_is_another_question(self, name: str, value: float | str) -> None:
        assert key(PLAIN, **{name: value}) != key(PLAIN)

    def test_is_another_judge(self, name: str, value: float | str) -> None:
        assert tool_of(judge({name: value})) != tool_of(judge({}))

    def test_reruns_judgements_and_captions(self, name: str, value: float | str) -> None:
        assert judge({name: value}).shaping() != judge({}).shaping()
        usual, changed = (LLMCaptionsConfig(server=USUAL | server) for server in ({}, {name: value}))
        assert changed.shaping() != usual.shaping()


def test_more_room_for_a_second_try_reruns_and_is_the_same_judge() -> None:
    assert judge({"max_retry_tokens": 9}).shaping() != judge({}).shaping()
    assert tool_of(judge({"max_retry_tokens": 9})) == tool_of(judge({}))


def test_whatever_shapes_no_answer_reruns_nothing() -> None:
    others = {"mode": "batch", "budget_usd": 5.0, "concurrency": 3, "base_url": "http://localhost/v1"}
    assert judge(others).shaping() == judge({}).shaping()
    fields = LLMConfig.model_fields
    unmarked = {name for name, field in fields.items() if OPERATIONAL not in field.metadata}
    assert unmarked == {*LLMConfig.sent_names(), "max_retry_tokens"}


def test_a_request_carries_what_is_set_under_the_names_of_the_interface() -> None:
    body = body_of(LLMConfig(**CHANGES), PLAIN, 50, Server())
    assert body == {
        "model": "other", "temperature": 0.5, "max_tokens": 50, "top_p": 0.9, "seed": 3, "messages": [*MESSAGES],
    }  # fmt: skip
    unset = body_of(LLMConfig(**USUAL), PLAIN, 50, Server(room_name="max_completion_tokens"))
    assert unset == {"model": "tiny", "max_completion_tokens": 50, "messages": [*MESSAGES]}


def test_each_attempt_has_a_seed_of_its_own() -> None:
    seeded = LLMConfig(**USUAL, sampling_seed=3)
    assert [body_of(seeded, request, 50, Server())["seed"] for request in (PLAIN, RICH)] == [3, 5]


def test_they_reach_the_server(tmp_path: Path) -> None:
    with LLMServer() as server:
        ask(tmp_path / "ledger", config(server, top_p=0.9, sampling_seed=3), questions(1, attempt=1))
    asked = server.bodies[-1]
    assert (asked["top_p"], asked["seed"], asked["model"]) == (0.9, 4, "tiny")
