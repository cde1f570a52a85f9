"""distinct-n of any number of texts (Li et al., 2016): different n-grams of words / all n-grams."""

from array import array
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nounflow.captions.spool import Spool

_HELD = 1 << 20  # n-grams of one size in memory
_PARTS = 64  # on disk, by the first bits of the hash; one part at a time is counted


class DistinctNgrams:
    """Counts by 64-bit hashes, sorted and counted part by part: of 100 million n-grams all are told apart, almost
    surely (3 in 10,000 that two are not)."""

    def __init__(self, spool: Spool, sizes: Sequence[int] = (1, 2, 3)) -> None:
        self._spool = spool
        self._held = {n: array("q") for n in sizes}
        self._total = dict.fromkeys(sizes, 0)

    def add(self, text: str) -> None:
        """Count one text, words in small letters and without punctuation around them."""
        words = [word.strip(".,;:!?\"'()") for word in text.lower().split()]
        for n, held in self._held.items():
            held.extend(map(hash, zip(*(words[i:] for i in range(n)), strict=False)))
            self._total[n] += max(len(words) - n + 1, 0)
            if len(held) > _HELD:
                self._put_away(n)

    def shares(self) -> dict[str, float]:
        """n -> distinct-n; 0 where there are no n-grams."""
        shares = {}
        for n, total in self._total.items():
            self._put_away(n)
            different = sum(len(np.unique(self._part(n, part))) for part in range(_PARTS))
            shares[str(n)] = different / total if total else 0.0
        return shares

    def _put_away(self, n: int) -> None:
        hashes = np.unique(np.frombuffer(self._held[n], dtype=np.uint64))
        edges = np.searchsorted(hashes, np.arange(_PARTS, dtype=np.uint64) << np.uint64(58))
        for part, (start, stop) in enumerate(pairwise([*edges.tolist(), len(hashes)])):
            if stop > start:
                self._spool.append((n, part), hashes[start:stop].tobytes())
        self._held[n] = array("q")

    def _part(self, n: int, part: int) -> np.ndarray:
        return np.frombuffer(b"".join(self._spool.pieces((n, part))), dtype=np.uint64)
