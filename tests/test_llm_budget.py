"""What asking may cost: prices, the budget, the estimate."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_asking import PAID, ask, config, questions, totals, words
from llm_server import LLMServer

from nounflow.llm.budget import BudgetReachedError
from nounflow.llm.estimate import estimate
from nounflow.llm.ledger import Ledger
from nounflow.llm.prices import UnknownPriceError, prompt_tokens_bound
from nounflow.llm.requests import Request


def test_a_model_without_a_price_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with LLMServer() as server:
        with pytest.raises(UnknownPriceError, match="'tiny'"):
            ask(tmp_path / "ledger", config(server, prices={"other": {"input": 1, "output": 1}}), questions(1))
        assert server.asked.total() == 0


def test_a_budget_of_nothing_lets_nothing_be_sent(tmp_path: Path) -> None:
    with LLMServer() as server:
        with pytest.raises(BudgetReachedError):
            ask(tmp_path / "ledger", config(server, budget_usd=0), questions(1))
        assert server.asked.total() == 0


def test_a_free_server_needs_no_budget(tmp_path: Path) -> None:
    with LLMServer() as server:
        free = config(server, budget_usd=0, prices={"tiny": {"input": 0, "output": 0}})
        assert len(words(ask(tmp_path / "ledger", free, questions(5)))) == 5


def test_the_budget_holds_and_a_larger_one_goes_on_where_it_stopped(tmp_path: Path) -> None:
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


def test_without_counts_of_tokens_the_worst_case_is_charged(tmp_path: Path) -> None:
    with LLMServer(usage=False) as server:
        ask(tmp_path / "ledger", config(server), questions(4))
    sums = totals(tmp_path / "ledger")
    assert sums.paid_usd == 0
    assert sums.presumed_usd > 4 * 100 * 2.0 / 1e6


def test_the_estimate_prices_what_is_not_known_yet(tmp_path: Path) -> None:
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
def test_the_bound_of_prompt_tokens_is_above_its_bytes(text: str) -> None:
    assert prompt_tokens_bound(Request("a", ({"role": "user", "content": text},), "1")) > len(text.encode())
