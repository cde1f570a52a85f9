"""Batches on a processor: each in one thread, as many at once as torch has threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
Computed = TypeVar("Computed")


def side_by_side(compute: Callable[[Batch], Computed], batches: Iterable[Batch]) -> Iterator[Computed]:
    """What the processor computes, in the order of `batches`.

    So no thread waits for others at the end of each product, and no vector depends on how many threads there are.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque[Future[Computed]] = deque()
            for batch in batches:
                waiting.append(pool.submit(compute, batch))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(threads)  # the pool's number became that of threads yet to come
