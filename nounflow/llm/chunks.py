"""A stream of requests in chunks, so that the ledger is asked seldom and memory stays small."""

import asyncio
import itertools
from collections.abc import AsyncIterable, AsyncIterator, Iterable

from nounflow.config.llm import LLMConfig
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import question_of
from nounflow.llm.records import LedgerEntry
from nounflow.llm.requests import Question, Request

CHUNK = 500  # requests looked up in the ledger at a time


async def chunks(requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[list[Request]]:
    """Lists of at most `CHUNK` requests."""
    if not isinstance(requests, AsyncIterable):
        iterator = iter(requests)
        while chunk := list(itertools.islice(iterator, CHUNK)):
            yield chunk
        return
    waiting: list[Request] = []
    async for request in requests:
        waiting.append(request)
        if len(waiting) == CHUNK:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


async def looked_up(
    config: LLMConfig, ledger: Ledger, chunk: Iterable[Request]
) -> list[tuple[Question, LedgerEntry | None]]:
    """The questions of a chunk, with what the ledger knows of each.

    Raises:
        MismatchError: it knows one with other words under the same version of its prompt.
    """
    questions = [question_of(config, request) for request in chunk]
    known = await asyncio.to_thread(ledger.look_up, [question.key for question in questions])
    for question in questions:
        if (entry := known.get(question.key)) is not None:
            ledger.check_messages(question, entry)
    return [(question, known.get(question.key)) for question in questions]
