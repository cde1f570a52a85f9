"""The key to a server reaches that server and nothing else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from llm_asking import KEY, PRICES, ask, config, questions
from llm_server import LLMServer
from pydantic import ValidationError

from nounflow.config.llm import LLMConfig
from nounflow.errors import NounflowError
from nounflow.llm.http import api_client
from nounflow.llm.keys import read_key, redact
from nounflow.llm.pace import RunStoppedError


def test_the_key_reaches_its_server_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
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


def test_a_key_for_openai_goes_to_no_other_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LLMServer() as server:
        ask(tmp_path / "ledger", config(server), questions(1))
    assert KEY not in "".join(server.authorizations)


def test_a_missing_key_names_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings_ = LLMConfig(model="tiny", prices=PRICES)
    with pytest.raises(NounflowError, match="OPENAI_API_KEY"):
        ask(tmp_path / "ledger", settings_, questions(1))


def test_a_password_in_the_url_is_refused() -> None:
    with pytest.raises(ValidationError, match="environment"):
        LLMConfig(model="tiny", base_url="https://me:secret@host/v1")


@pytest.mark.parametrize(
    "url",
    ["http://[::1/v1", "http://host:port/v1", "http://host:99999/v1", "http:///v1", "http://a..b/v1", "http://h/?k=5"],
)
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"Value error, (found|a URL)"):
        LLMConfig(model="tiny", base_url=url)


def test_words_that_are_no_keys_stay() -> None:
    text = "a desk-mounted key-operated lock"
    assert redact(text, "none") == text


@pytest.mark.parametrize("key", ["\u201csk-secret-0123\u201d", "sk-secret 0123", "sk-sec\nret-0123"])
def test_a_key_with_a_sign_that_no_key_has_is_one_message_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(NounflowError) as caught:
        read_key(LLMConfig(model="m", base_url="http://127.0.0.1:1/v1", api_key_env="MY_KEY"))
    assert "MY_KEY" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_only_the_key_itself_is_struck_out() -> None:
    text = "The Ring Bearer carries gold; Bearer sk-very-secret-0123456789"
    assert redact(text, "sk-very-secret-0123456789") == "The Ring Bearer carries gold; Bearer [key]"


def test_a_proxy_that_cannot_be_used_is_named_and_loopback_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setattr("nounflow.llm.http.openai.DefaultAsyncHttpxClient", _without_socks)
    with pytest.raises(NounflowError, match="ALL_PROXY"):
        api_client(LLMConfig(model="m", base_url="http://models.example/v1"), "none")
    monkeypatch.undo()
    monkeypatch.setenv("ALL_PROXY", "nonsense")
    for host in ("127.0.0.1", "127.0.1.1", "[::1]", "localhost.", "my.localhost"):
        api_client(LLMConfig(model="m", base_url=f"http://{host}:8000/v1"), "none")


def _without_socks(**options: Any) -> None:
    assert options["trust_env"]
    raise ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")
