"""The fast text path of a model: its tower written out where that gives the library's own vectors, which is tested.

The golden texts are embedded twice when a model embeds its first texts: in the library's own plain way (padded to the
full context, fp32) and in the fast way. Only a way that agrees to 1e-5 is taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nounflow.embedders.golden import EXACT, GOLDEN_TEXTS
from nounflow.embedders.library_tokenizer import LibraryTokenizer
from nounflow.embedders.options import DTYPES, ComputeOptions
from nounflow.embedders.text_encoder import TextEncoder
from nounflow.embedders.text_tower import TextTower

_SMALL_BATCH = 64  # tokens: a dozen texts of a dozen lengths would be mostly dummies in larger ones


@dataclass(frozen=True)
class TextSide:
    """A text tower as its library loaded it, in fp32 on the device."""

    tokenizer: LibraryTokenizer
    plain: Callable[[Tensor], Tensor]  # the library's forward: ids [batch, context] -> features [batch, dim]
    written_out: Callable[[], TextTower | None]  # the same function, where its kind is known
    masks_padding: bool = False  # `plain` takes shorter rows and hides their padding

    @torch.inference_mode()
    def features(self, texts: Sequence[str], device: str) -> Tensor:
        """What the library's own plain way gives, of any length: fp32 [texts, dim]."""
        return self.plain(self.tokenizer.padded(texts).to(device)).float()


def fastest_encoder(side: TextSide, options: ComputeOptions) -> TextEncoder:
    """A text tower by the fastest way that is right, in the precision of the options."""
    golden = F.normalize(side.features(GOLDEN_TEXTS, options.device), dim=-1).cpu().numpy()  # [texts, dim]
    way = _right_way(_ways(side, golden, options.device))
    if not isinstance(way.forward, TextTower):  # a library's module is autocast
        forward = options.compiled(options.autocast(way.forward))
        return replace(way, forward=forward, wanted_batch_tokens=options.batch_tokens)
    tower = way.forward.prepared(options.device, DTYPES[options.precision])
    return replace(way, forward=options.compiled(tower), wanted_batch_tokens=options.batch_tokens, tower=tower)


def _ways(side: TextSide, golden: np.ndarray, device: str) -> list[TextEncoder]:
    """The ways that may be right, in fp32, the fastest first; the library's own at full length comes last."""
    tokenizer = side.tokenizer

    def full_rows(texts: Sequence[str]) -> list[list[int]]:
        return [ids + [tokenizer.pad] * (tokenizer.context - len(ids)) for ids in tokenizer.tokens(texts)]

    def plain(ids: Tensor, _mask: Tensor) -> Tensor:
        return F.normalize(side.plain(ids).float(), dim=-1)

    def way(name: str, forward: Callable[[Tensor, Tensor], Tensor], cut: bool) -> TextEncoder:
        return TextEncoder(
            name=name,
            tokenise=tokenizer.tokens if cut else full_rows,
            forward=forward,
            golden=golden,
            context=tokenizer.context,
            pad=tokenizer.pad,
            device=device,
            wanted_batch_tokens=_SMALL_BATCH,
        )

    ways = [way("the library's own tower at full length", plain, cut=False)]
    if side.masks_padding:
        ways.insert(0, way("the library's own tower", plain, cut=True))
    if (tower := side.written_out()) is not None:
        ways.insert(0, way("written out", tower.prepared(device, torch.float32), cut=tower.cuttable))
    return ways


def _right_way(ways: Sequence[TextEncoder]) -> TextEncoder:
    """The first way that gives the golden vectors; the last always does."""
    for way in ways[:-1]:
        found = way.encode(GOLDEN_TEXTS, progress=False)
        difference = float(np.abs(found - way.golden).max())
        if difference <= EXACT:
            return way
        print(f"text tower, {way.name}: differs by {difference:.1e} from the library's own, so it is not used")
    return ways[-1]
