"""A stream of requests in portions, so that the ledger is asked seldom and memory stays small."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, AsyncIterator, Iterable

from nounflow.llm.requests import Request

PORTION = 500  # requests looked up in the ledger at a time


async def portions(requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[list[Request]]:
    """Lists of at most `PORTION` requests."""
    if not isinstance(requests, AsyncIterable):
        iterator = iter(requests)
        while portion := list(itertools.islice(iterator, PORTION)):
            yield portion
        return
    waiting: list[Request] = []
    async for request in requests:
        waiting.append(request)
        if len(waiting) == PORTION:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
