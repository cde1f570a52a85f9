"""The fast text path of a model: its tower written out where that gives the library's own vectors, which is tested.

The golden texts are embedded twice when a model embeds its first texts: in the library's own plain way (padded to the
full context, fp32) and in the fast way. Only a way that agrees to 1e-5 is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nounflow.embedders.batch_size import find_batch_tokens
from nounflow.embedders.compiling import compiled
from nounflow.embedders.golden import EXACT, GOLDEN_TEXTS
from nounflow.embedders.options import DTYPES, ComputeOptions
from nounflow.embedders.text_pipeline import encode_in_batches, measured_rate
from nounflow.embedders.text_tower import TextTower
from nounflow.embedders.tokenizer import TowerTokenizer

_SMALL_BATCH = 64  # tokens: a dozen texts of a dozen lengths would be mostly dummies in larger ones


@dataclass(frozen=True)
class TextSide:
    """A text tower as its library loaded it, in fp32 on the device."""

    tokenizer: TowerTokenizer
    plain: Callable[[Tensor], Tensor]  # the library's forward: ids [batch, context] -> features [batch, dim]
    written_out: TextTower | None  # the same function, where its kind is known
    masks_padding: bool = False  # `plain` takes shorter rows and hides their padding


@dataclass(frozen=True)
class _Way:
    name: str
    forward: Callable[[Tensor], Tensor]  # ids -> unit vectors
    cut: bool


class TextPath:
    """Texts to unit vectors by the fastest way that is right."""

    def __init__(self, side: TextSide, options: ComputeOptions) -> None:
        self._tokenizer, self._device = side.tokenizer, options.device
        with torch.inference_mode():
            ids = side.tokenizer.padded(GOLDEN_TEXTS).to(options.device)
            self.golden = F.normalize(side.plain(ids).float(), dim=-1).cpu().numpy()  # [texts, dim]
        self.dim = int(self.golden.shape[1])
        self._batch_tokens = options.batch_tokens
        self._way = self._right_way(side)
        self._way = _Way(self._way.name, _in_precision(self._way.forward, options), self._way.cut)

    def encode(self, texts: Sequence[str], progress: bool) -> np.ndarray:
        """See `Embedder.encode_texts`."""
        return self._encode(self._way, texts, self.batch_tokens, progress)

    @property
    def batch_tokens(self) -> int:
        """Tokens in a batch; found by trial when first asked for, if the options leave it open."""
        if self._batch_tokens == "auto":
            self._batch_tokens = find_batch_tokens(self._rate, self._device)
        return self._batch_tokens

    @batch_tokens.setter
    def batch_tokens(self, tokens: int) -> None:
        self._batch_tokens = tokens

    def _right_way(self, side: TextSide) -> _Way:
        """The first way that gives the golden vectors; the library's own always does."""
        ways = [_Way("the library's own tower at full length", _normalised(side.plain), cut=False)]
        if side.masks_padding:
            ways.insert(0, _Way("the library's own tower", ways[0].forward, cut=True))
        if side.written_out is not None:
            tower = side.written_out.prepared(self._device, torch.float32)
            ways.insert(0, _Way("written out", tower, cut=tower.cuttable))
        for way in ways[:-1]:
            found = self._encode(way, GOLDEN_TEXTS, _SMALL_BATCH, progress=False)
            difference = float(np.abs(found - self.golden).max())
            if difference <= EXACT:
                return way
            print(f"text tower, {way.name}: differs by {difference:.1e} from the library's own, so it is not used")
        return ways[-1]

    def _encode(self, way: _Way, texts: Sequence[str], batch_tokens: int, progress: bool) -> np.ndarray:
        return encode_in_batches(
            texts,
            self._tokenizer.tokens if way.cut else self._full_rows,
            lambda ids, _mask: way.forward(ids),
            pad=self._tokenizer.pad,
            dim=self.dim,
            batch_tokens=batch_tokens,
            longest=self._tokenizer.context,
            device=self._device,
            progress=progress,
        )

    def _full_rows(self, texts: Sequence[str]) -> list[list[int]]:
        tokenizer = self._tokenizer
        return [ids + [tokenizer.pad] * (tokenizer.context - len(ids)) for ids in tokenizer.tokens(texts)]

    @torch.inference_mode()
    def _rate(self, batch_tokens: int) -> float:
        """Tokens a second in batches of that size, of rows as long as captions are."""
        width = 16 if self._way.cut else self._tokenizer.context
        row = (self._tokenizer.tokens if self._way.cut else self._full_rows)([GOLDEN_TEXTS[0]])[0]
        ids = torch.tensor([(row * width)[:width]], device=self._device).repeat(max(2, batch_tokens // width), 1)
        return measured_rate(lambda: self._way.forward(ids), ids.numel(), self._device)


def _normalised(plain: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda ids: F.normalize(plain(ids).float(), dim=-1)


def _in_precision(forward: Callable[[Tensor], Tensor], options: ComputeOptions) -> Callable[[Tensor], Tensor]:
    """A tower written out gets its weights in the precision; a library's module is autocast."""
    if isinstance(forward, TextTower):
        return compiled(forward.prepared(options.device, DTYPES[options.precision]), options.compile)

    def autocast(ids: Tensor) -> Tensor:
        with options.autocast():
            return forward(ids)

    return compiled(autocast, options.compile)
