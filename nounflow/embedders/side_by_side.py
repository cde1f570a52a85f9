"""Batches on a processor: each in one thread, as many at once as torch has threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from nounflow.ahead import map_ahead

Batch = TypeVar("Batch")
Computed = TypeVar("Computed")


def side_by_side(compute: Callable[[Batch], Computed], batches: Iterable[Batch]) -> Iterator[Computed]:
    """What the processor computes, in the order of `batches`.

    So no thread waits for others at the end of each product, and no vector depends on how many threads there are.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from map_ahead(pool, compute, batches, 2 * threads)
    finally:
        torch.set_num_threads(threads)  # the pool's number became that of threads yet to come
