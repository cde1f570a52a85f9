"""Requests of many clients answered together: what comes in while one batch computes makes up the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class TooManyWaitingError(Exception):
    """As many requests wait as may."""


class Batcher(Generic[Item, Result]):
    """Hands items to `work` in batches, one batch at a time, in another thread. No request waits for company."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], size: int, waiting: int) -> None:
        """
        Args:
            work: results in the items' order.
            size: the most items of a batch.
            waiting: the most items that may wait.
        """
        self._work, self._size, self._most = work, size, waiting
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._some = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Items that wait now."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while this is open."""
        worker = asyncio.create_task(self._run())
        try:
            yield
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    async def __call__(self, item: Item) -> Result:
        """The item's result.

        Raises:
            TooManyWaitingError: too many wait already.
        """
        if len(self._waiting) >= self._most:
            raise TooManyWaitingError
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._some.set()
        return await future

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
            if not self._waiting:
                self._some.clear()
            batch = [(item, future) for item, future in batch if not future.done()]  # without who hung up meanwhile
            if not batch:
                continue
            try:
                results = await asyncio.to_thread(self._work, [item for item, _future in batch])
            except Exception as error:
                for _item, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_item, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
