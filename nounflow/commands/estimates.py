"""What the estimates of captions and of judgements have in common."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from nounflow.config.llm import LLMConfig
from nounflow.llm.estimate import CostEstimate, estimate
from nounflow.llm.ledger import Ledger
from nounflow.llm.requests import Request


def estimate_beside(path: Path, requests: Iterable[Request], server: LLMConfig, guess: float) -> CostEstimate:
    """Price what the ledger at `path`, if there is one, does not answer; `guess`: tokens of an answer."""
    with Ledger.read(path) if path.is_file() else contextlib.nullcontext() as ledger:
        return estimate(requests, server, ledger, output_tokens_guess=guess)


def print_calls(found: CostEstimate) -> None:
    """Say how much there is to ask."""
    print(f"{found.requests:,} requests, {found.known:,} of them answered by the ledger; {found.calls:,} calls to make")


def print_budget(found: CostEstimate, server: LLMConfig) -> None:
    """Say what may be spent, and what is."""
    print(f"budget {server.budget_usd:.2f} USD, of which {found.spent_usd:.2f} USD are spent")
