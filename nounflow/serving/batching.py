"""Requests of many clients answered together: what comes in while one batch computes makes up the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Hands items to `work` in batches, in threads of its own. No request waits for company."""

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Result]], size: int, waiting: int, threads: int = 1
    ) -> None:
        """
        Args:
            work: results in the items' order; called in several threads at once where there are several.
            size: the most items of a batch.
            waiting: the most items that may wait.
            threads: batches that are worked on at once.
        """
        self._work, self._size, self._most, self._threads = work, size, waiting, threads
        self._queue: asyncio.Queue[tuple[Item, asyncio.Future[Result]]] = asyncio.Queue()

    @property
    def waiting(self) -> int:
        """Items that wait now."""
        return self._queue.qsize()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while this is open."""
        with ThreadPoolExecutor(self._threads) as pool:  # always the same threads: each keeps memory of its own
            workers = [asyncio.create_task(self._run(pool)) for _ in range(self._threads)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def __call__(self, item: Item) -> Result:
        """The item's result.

        Raises:
            asyncio.QueueFull: too many wait already.
        """
        if self.waiting >= self._most:
            raise asyncio.QueueFull
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((item, future))
        return await future

    async def _run(self, pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._size and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            batch = [(item, future) for item, future in batch if not future.done()]  # without who hung up meanwhile
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(pool, self._work, [item for item, _future in batch])
            except Exception as error:
                for _item, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_item, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
