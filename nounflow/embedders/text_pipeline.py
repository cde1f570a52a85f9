"""Texts to vectors, in order: one thread makes tokens while another computes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from nounflow.device import on_device, wait_for
from nounflow.embedders.batching import fill_batch, stream_batches
from nounflow.progress import Progress

_CHUNK = 8192  # texts whose tokens are made at once
Tokenise = Callable[[Sequence[str]], list[list[int]]]


@torch.inference_mode()
def encode_in_batches(
    texts: Sequence[str],
    tokenise: Tokenise,
    forward: Callable[[Tensor, Tensor], Tensor],
    *,
    pad: int,
    dim: int,
    batch_tokens: int,
    longest: int,
    device: str,
    progress: bool,
) -> np.ndarray:
    """float32 [len(texts), dim] in the texts' order.

    Args:
        forward: token ids and their mask, True where a token counts, [batch, tokens] each -> vectors [batch, dim].
        longest: the most tokens that it takes.
    """
    vectors = np.empty((len(texts), dim), dtype=np.float32)
    on_gpu: tuple[np.ndarray, Tensor] | None = None  # fetched one batch late, so that the GPU need not wait for us
    with Progress("texts", len(texts), "texts") if progress else contextlib.nullcontext() as report:
        for batch, numbers, tokens in stream_batches(_tokens_ahead(texts, tokenise), batch_tokens, longest):
            ids, mask = (_placed(array, device) for array in fill_batch(batch, tokens, pad))
            found = forward(ids, mask)[: len(numbers)]
            if on_gpu is not None:
                vectors[on_gpu[0]] = on_gpu[1].cpu().numpy()
            on_gpu = (numbers, found)
            if report is not None:
                report.advance(len(numbers))
        if on_gpu is not None:
            vectors[on_gpu[0]] = on_gpu[1].cpu().numpy()
    return vectors


def _placed(array: np.ndarray, device: str) -> Tensor:
    tensor = torch.from_numpy(array)
    return on_device(tensor, device)


def _tokens_ahead(texts: Sequence[str], tokenise: Tokenise) -> Iterator[list[list[int]]]:
    """The tokens of each chunk, made in a thread while the chunk before is computed."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for start in range(0, len(texts), _CHUNK):
            following = pool.submit(tokenise, texts[start : start + _CHUNK])
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def measured_rate(work: Callable[[], Tensor], amount: int, device: str) -> float:
    """`amount` per second of `work`, the best of three rounds after one to warm up."""
    seconds = []
    for _round in range(4):
        start = time.perf_counter()
        work()
        wait_for(device)
        seconds.append(time.perf_counter() - start)
    return amount / min(seconds[1:])
