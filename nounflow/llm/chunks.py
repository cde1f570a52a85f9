"""A stream of requests in chunks, so that the ledger is asked seldom and memory stays small."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, AsyncIterator, Iterable

from nounflow.llm.requests import Request

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
