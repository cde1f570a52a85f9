"""Batches on a processor: each in one thread, as many at once as torch has threads."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from nounflow.ahead import map_ahead

Batch = TypeVar("Batch")
Computed = TypeVar("Computed")

# torch's number of threads, once for each use under way: what a thread finds that begins beside others is theirs, 1.
_LOCK, _threads = threading.Lock(), list[int]()


def side_by_side(compute: Callable[[Batch], Computed], batches: Iterable[Batch]) -> Iterator[Computed]:
    """What the processor computes, in the order of `batches`.

    So no thread waits for others at the end of each product, and no vector depends on how many threads there are.
    """
    with _LOCK:
        threads = _threads[0] if _threads else torch.get_num_threads()
        _threads.append(threads)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from map_ahead(pool, compute, batches, 2 * threads)
    finally:
        with _LOCK:
            _threads.pop()
        torch.set_num_threads(threads)  # the pool's number became that of threads yet to come
