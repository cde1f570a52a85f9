"""Texts to vectors, in order: one thread makes tokens while others compute."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from nounflow.ahead import map_ahead
from nounflow.device import on_device, wait_for
from nounflow.embedders.batch_size import find_batch_tokens
from nounflow.embedders.batching import TextBatch, fill_batch, stream_batches
from nounflow.embedders.side_by_side import side_by_side
from nounflow.embedders.tokenizer import Tokenise
from nounflow.progress import Progress

_CHUNK = 8192  # texts whose tokens are made at once
Computed = tuple[list[int], Tensor]
_CAPTION = "A photo of two dogs playing in the snow."  # as long as captions are, to measure with


class OpenTower(Protocol):
    """A frozen text tower whose first step can be taken apart: gradients flow from its vectors to its token vectors."""

    def embedded(self, ids: Tensor) -> Tensor:
        """Token ids [batch, tokens] -> their vectors, fp32 [batch, tokens, width], before places are added."""
        ...

    def of_embedded(self, x: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Token vectors [batch, tokens, width], the ids that they stand for and their mask -> unit vectors."""
        ...


@dataclass
class TextEncoder:
    """A text tower of any family with its tokens: texts to unit vectors."""

    name: str  # of the way in which the tower is computed, for messages
    tokenise: Tokenise  # special tokens included, at most `context` each
    forward: Callable[[Tensor, Tensor], Tensor]
    """Token ids and their mask, True where a token counts, [batch, tokens] each -> unit vectors [batch, dim]."""
    golden: np.ndarray  # float32 [golden texts, dim]: see `Embedder.golden_vectors`
    context: int  # the most tokens that `forward` takes
    pad: int  # id of the padding token
    device: str
    wanted_batch_tokens: int | Literal["auto"]
    tower: OpenTower | None = None  # what `forward` computes, where it is written out here

    @property
    def batch_tokens(self) -> int:
        """Tokens in a batch; found by trial when first asked for, if the options leave it open."""
        if self.wanted_batch_tokens == "auto":
            self.wanted_batch_tokens = find_batch_tokens(self._rate, self.device)
        return self.wanted_batch_tokens

    def encode(self, texts: Sequence[str], progress: bool) -> np.ndarray:
        """float32 [len(texts), dim], unit rows in the texts' order."""
        vectors = np.empty((len(texts), self.golden.shape[1]), dtype=np.float32)
        with Progress("texts", len(texts), "texts") if progress else contextlib.nullcontext() as report:
            batches = stream_batches(_tokens_ahead(texts, self.tokenise), self.batch_tokens, self.context)
            computed = side_by_side if self.device == "cpu" else _one_late
            for numbers, found in computed(self._vectors, batches):
                vectors[numbers] = found.cpu().numpy()
                if report is not None:
                    report.advance(len(numbers))
        return vectors

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and mask of texts, [texts, tokens] each, as long as the longest of them."""
        tokens = self.tokenise(texts)
        filled = fill_batch(tokens, max(map(len, tokens)), len(tokens), self.pad)
        ids, mask = (torch.from_numpy(part).to(self.device) for part in filled)
        return ids, mask

    @torch.inference_mode()
    def _vectors(self, batch: TextBatch) -> Computed:
        """The numbers of a batch's texts and their vectors [texts, dim], on the device."""
        filled = fill_batch(batch.tokens, batch.width, batch.size, self.pad)
        ids, mask = (on_device(torch.from_numpy(array), self.device) for array in filled)
        return batch.numbers, self.forward(ids, mask)[: len(batch.numbers)]  # without the dummies at the end

    @torch.inference_mode()
    def _rate(self, batch_tokens: int) -> float:
        """Tokens a second in batches of that size; the best of three rounds after one to warm up."""
        row = torch.tensor(self.tokenise([_CAPTION])[0], device=self.device)
        ids = row.repeat(max(2, batch_tokens // len(row)), 1)  # [texts, tokens]
        mask = torch.ones_like(ids, dtype=torch.bool)
        seconds = []
        for _round in range(4):
            start = time.perf_counter()
            self.forward(ids, mask)
            wait_for(self.device)
            seconds.append(time.perf_counter() - start)
        return ids.numel() / min(seconds[1:])


def _tokens_ahead(texts: Sequence[str], tokenise: Tokenise) -> Iterator[list[list[int]]]:
    """The tokens of each chunk, made in a thread while the chunk before is computed."""
    chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
    with ThreadPoolExecutor(1) as pool:
        yield from map_ahead(pool, tokenise, chunks, 1)


def _one_late(compute: Callable[[TextBatch], Computed], batches: Iterable[TextBatch]) -> Iterator[Computed]:
    """What a GPU computes, each batch after the next was given to it, so that it need not wait for us."""
    waiting: Computed | None = None
    for batch in batches:
        following = compute(batch)
        if waiting is not None:
            yield waiting
        waiting = following
    if waiting is not None:
        yield waiting
