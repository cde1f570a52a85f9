"""The Batch API answers as calls do, for less: in batches within all limits, and within the budget."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import polars as pl
import pytest
from caption_server import CaptionServer
from llm_asking import PAID, PRICES, ask, batch_config, created, get_outcomes, inputs, questions, right, totals, words
from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.llm.budget import BudgetReachedError
from nounflow.llm.client import open_client
from nounflow.llm.estimate import estimate
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import question_of
from nounflow.llm.pace import RunStoppedError
from nounflow.llm.requests import Outcome
from nounflow.schemas.tables import LEXICON, write_table


def test_batches_answer_as_calls_do_at_the_price_of_batches_and_a_rerun_sends_nothing(tmp_path: Path) -> None:
    with LLMServer() as server:
        first = ask(tmp_path / "ledger", batch_config(server), questions(35))
        calls = server.batches.calls.total() + server.asked.total()
        again = get_outcomes(tmp_path / "ledger", batch_config(server), questions(35))
        assert server.batches.calls.total() + server.asked.total() == calls
    assert words(first) == words(again) == right(35)
    assert all(outcome.replayed and outcome.usd == 0 for outcome in again)
    assert set(server.asked_questions.values()) == {1}
    assert [content.count(b"\n") for content in inputs(server)] == [10, 10, 10, 5]
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(35 * PAID / 2 + PAID)  # and the probe
    keys = {question_of(batch_config(server), o.request).key for o in first}
    assert {json.loads(line)["custom_id"] for content in inputs(server) for line in content.splitlines()} == keys


@pytest.mark.parametrize("modes", [("chat", "batch"), ("batch", "chat")])
def test_what_one_mode_has_answered_the_other_does_not_ask(tmp_path: Path, modes: tuple[str, str]) -> None:
    with LLMServer() as server:
        for mode in modes:
            assert words(ask(tmp_path / "ledger", batch_config(server, mode=mode), questions(12))) == right(12)
    assert set(server.asked_questions.values()) == {1}


def test_equal_requests_are_asked_once_and_answered_each(tmp_path: Path) -> None:
    with LLMServer() as server:
        outcomes = get_outcomes(tmp_path / "ledger", batch_config(server), questions(4) + questions(4))
        assert len(outcomes) == 8
        assert words(outcomes) == right(4)
    assert set(server.asked_questions.values()) == {1}
    assert sum(outcome.usd for outcome in outcomes) == pytest.approx(4 * PAID / 2)


def test_an_asker_that_stops_early_and_one_that_asks_again_share_their_batches(tmp_path: Path) -> None:
    async def run(settings_: LLMConfig) -> list[Outcome]:
        with Ledger.open(tmp_path / "ledger") as ledger:
            async with open_client(settings_, ledger) as client:
                outcomes = client.ask(questions(40))
                async for _ in outcomes:
                    break
                assert isinstance(outcomes, AsyncGenerator)
                await outcomes.aclose()
                return [outcome async for outcome in client.ask(questions(45))]

    with LLMServer() as server:
        assert words(asyncio.run(run(batch_config(server)))) == right(45)
    assert set(server.asked_questions.values()) == {1}
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(45 * PAID / 2 + PAID)


def test_a_server_without_schemas_is_told_them_in_words(tmp_path: Path) -> None:
    with LLMServer(schema=False) as server:
        outcomes = get_outcomes(tmp_path / "ledger", batch_config(server), questions(3, schema={"type": "object"}))
    assert {outcome.status for outcome in outcomes} == {"answered"}
    assert "JSON schema" in server.bodies[-1]["messages"][-1]["content"]


def test_the_estimate_is_at_the_price_of_batches() -> None:
    with LLMServer() as server:
        chat, batch = (
            estimate(questions(5), batch_config(server, mode=mode), None, output_tokens_guess=10)
            for mode in ("chat", "batch")
        )
    assert batch.expected_usd == pytest.approx(chat.expected_usd / 2)
    assert batch.worst_usd == pytest.approx(chat.worst_usd / 2)


@pytest.mark.parametrize(
    ("limits", "files"),
    [
        ({"max_requests": 7}, 5),
        ({"max_requests": 500, "max_bytes": 2000}, 4),
        ({"max_requests": 500, "max_queued_tokens": 30}, 7),
    ],
)
def test_a_batch_ends_at_the_first_limit(tmp_path: Path, limits: dict[str, int], files: int) -> None:
    with LLMServer() as server:
        assert words(ask(tmp_path / "ledger", batch_config(server, batch=limits), questions(32))) == right(32)
    assert created(server) >= files
    assert set(server.asked_questions.values()) == {1}
    for content in inputs(server):
        assert content.count(b"\n") <= limits["max_requests"]
        assert len(content) <= limits.get("max_bytes", len(content))
        tokens = 6 * content.count(b"\n")  # "noun 3" is estimated at two tokens, a message at four
        assert tokens <= limits.get("max_queued_tokens", tokens)


@pytest.mark.parametrize("limits", [{"max_open_batches": 1}, {"max_queued_tokens": 70}])
def test_the_next_batch_waits_while_the_queue_is_full(tmp_path: Path, limits: dict[str, int]) -> None:
    with LLMServer() as server:
        assert words(ask(tmp_path / "ledger", batch_config(server, batch=limits), questions(35))) == right(35)
    assert server.batches.most_open == 1


def test_without_such_a_limit_batches_are_under_way_together(tmp_path: Path) -> None:
    with LLMServer() as server:
        ask(tmp_path / "ledger", batch_config(server, batch={"max_queued_tokens": None}), questions(35))
    assert server.batches.most_open == 4


def test_a_request_that_fits_into_no_batch_is_given_up_alone(tmp_path: Path) -> None:
    long = questions(1, choices=2)[0].__class__("long", ({"role": "user", "content": "x" * 5000},), "1")
    with LLMServer() as server:
        limits = {"max_bytes": 4000}
        outcomes = ask(tmp_path / "ledger", batch_config(server, batch=limits), [long, *questions(3)])
    assert [o.request.item for o in outcomes if o.status == "failed"] == ["long"]
    assert words(outcomes) == right(3)


def test_the_budget_holds_for_whole_batches_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    budget = 0.004
    with LLMServer() as server:
        with pytest.raises(BudgetReachedError, match="budget_usd"):
            ask(tmp_path / "ledger", batch_config(server, budget_usd=budget), questions(400))
        spent, asked = totals(tmp_path / "ledger").spent_usd, server.asked_questions.total()
        assert 100 < asked < 400
        assert spent == pytest.approx(asked * PAID / 2 + PAID)
        assert budget - 0.001 < spent <= budget
        assert words(ask(tmp_path / "ledger", batch_config(server), questions(400))) == right(400)
    assert set(server.asked_questions.values()) == {1}


def test_a_budget_of_nothing_uploads_nothing(tmp_path: Path) -> None:
    with LLMServer() as server:
        with pytest.raises(BudgetReachedError):
            ask(tmp_path / "ledger", batch_config(server, budget_usd=0), questions(3))
        assert server.asked.total() + server.batches.calls.total() == 0


def test_a_batch_under_way_is_counted_at_its_worst_price(tmp_path: Path) -> None:
    with LLMServer() as server:
        server.batches.fates("stuck")
        with pytest.raises(RunStoppedError, match="deadline"):
            ask(tmp_path / "ledger", batch_config(server, deadline_s=0.5), questions(10))
    assert totals(tmp_path / "ledger").presumed_usd > 10 * 100 * 2.0 / 1e6 / 2


def test_the_prices_of_batches_come_from_the_config(tmp_path: Path) -> None:
    prices = {"tiny": {**PRICES["tiny"], "batch_factor": 0.25}}
    with LLMServer() as server:
        ask(tmp_path / "ledger", batch_config(server, prices=prices), questions(8))
    assert totals(tmp_path / "ledger").spent_usd == pytest.approx(8 * PAID / 4 + PAID)


def test_the_captions_of_batches_are_those_of_calls(repository: Path, tmp_path: Path) -> None:
    nouns = pl.DataFrame(
        [
            {
                "id": i, "key": f"k{i}", "noun": noun, "canon": noun, "kind": "artifact",
                "synsets": [f"n{i:08d}"], "sense_keys": [f"{noun}%1:06:00::"], "gloss": f"the gloss of {noun}",
                "hypernyms": ["thing"], "hypernym_synsets": ["n20000000"],
                "singulars": [noun], "singular_shares": [0.75],
                "plurals": [f"{noun}s"], "plural_shares": [0.25], "countability": "count",
                "frequency": 1e-6, "weight": 1.0 + i,
            }
            for i, noun in enumerate(("robin", "crane", "kettle"))
        ],
        schema=pl.DataFrame(LEXICON.empty_table()).schema,
    )  # fmt: skip
    write_table(tmp_path / "nouns.parquet", nouns, LEXICON)
    with CaptionServer() as server:
        for mode in ("chat", "batch"):
            values = {"server": batch_config(server, mode=mode).model_dump(), "captions_per_noun": 6}
            done = subprocess.run(
                [
                    sys.executable, str(repository / "workflow_scripts/ask_captions.py"), "--nouns",
                    str(tmp_path / "nouns.parquet"), "--settings", json.dumps(values), "--ledger",
                    str(tmp_path / f"{mode}.sqlite"), "--out", str(tmp_path / mode / "llm.parquet"),
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        assert created(server) > 0
        assert server.asked_questions.total() % 2 == 0
    assert (tmp_path / "batch/llm.parquet").read_bytes() == (tmp_path / "chat/llm.parquet").read_bytes()
    assert "completed" in done.stderr
