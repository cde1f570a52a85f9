"""Asks a language model many questions, each paid once.

    with Ledger.open(path) as ledger:
        async with open_client(config, ledger) as client:
            async for outcome in client.ask(requests):
                ...

Outcomes come in the order in which they are known, not in that of the requests, and never all at once in memory.
"""

from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.client import BatchClient
from nounflow.llm.chat import ChatClient
from nounflow.llm.ledger import Ledger

LLMClient = ChatClient | BatchClient  # one model at one server, one ledger, one budget; an async context manager


def open_client(config: LLMConfig, ledger: Ledger) -> LLMClient:
    """The client of the config's mode. It reads the key from the environment and the money spent from the ledger.

    Raises:
        UnknownPriceError: the config gives no price for the model.
        NounflowError: there is no key.
    """
    return BatchClient(config, ledger) if config.mode == "batch" else ChatClient(config, ledger)
