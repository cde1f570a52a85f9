"""Asks a language model many questions, each paid once.

    with Ledger.open(path) as ledger:
        async with open_client(config, ledger) as client:
            async for outcome in client.ask(requests):
                ...

Outcomes come in the order in which they are known, not in that of the requests, and never all at once in memory.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Protocol, Self

from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.client import BatchClient
from nounflow.llm.chat import ChatClient
from nounflow.llm.ledger import Ledger
from nounflow.llm.requests import Failure, Outcome, Request


class LLMClient(Protocol):
    """One model at one server, one ledger, one budget. Use it as an async context manager."""

    def ask(self, requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[Outcome | Failure]:
        """Answer each request, from the ledger where it can.

        Raises:
            BudgetReachedError: the next request might cost more than is left.
            RunStoppedError: no access, a dead server, the deadline.
            MismatchError: a prompt has changed and its version has not.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...


def open_client(config: LLMConfig, ledger: Ledger) -> LLMClient:
    """The client of the config's mode. It reads the key from the environment and the money spent from the ledger.

    Raises:
        UnknownPriceError: the config gives no price for the model.
        NounflowError: there is no key.
    """
    return BatchClient(config, ledger) if config.mode == "batch" else ChatClient(config, ledger)
