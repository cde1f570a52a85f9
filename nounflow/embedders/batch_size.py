"""How many tokens a batch of texts has: a cache's worth on a CPU, found by trial on a GPU, then recorded.

Vectors depend on the shape of their batches in the last bits, so the number is settled once: a shard's manifest holds
it, and further shards of the same source take it over.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.files import read_json

CPU_TOKENS = 512  # more gains little and fills the last batch of each length with more dummies (docs/embeddings.md)
_FIRST, _MOST = 4096, 1 << 20
_GAIN = 1.05  # less is not worth twice the memory


def find_batch_tokens(rate: Callable[[int], float], device: str) -> int:
    """The number of tokens to put in a batch; `rate` gives tokens a second for a number, or runs out of memory.

    Raises:
        NounflowError: not even the smallest batch fits.
    """
    if device == "cpu":
        return CPU_TOKENS
    best, best_rate = 0, 0.0
    tokens = _FIRST
    while tokens <= _MOST:
        try:
            found = rate(tokens)
        except torch.OutOfMemoryError:
            break
        if found < best_rate * _GAIN:
            break
        best, best_rate = tokens, found
        tokens *= 2
    if not best:
        raise NounflowError(
            f"The GPU has no room for a batch of {_FIRST:,} tokens",
            fix="free its memory, write a small `batch_tokens` for the embedder, or `device: cpu`",
        )
    print(f"batch_tokens: {best:,} (auto: {best_rate:,.0f} tokens/s, and more gave less than 5 % or did not fit)")
    return best


def settle_batch_tokens(model: Embedder, wanted: int | str, manifest: Path) -> None:
    """Where the config leaves the number open on a GPU, take that of a shard beside `manifest`, if there is one."""
    if wanted == "auto" and model.device != "cpu":
        recorded = recorded_batch_tokens(manifest.parent, model.identity.digest)
        if recorded is not None:
            model.batch_tokens = recorded
            print(f"batch_tokens: {recorded:,} (as the shards beside this one)")


def recorded_batch_tokens(folder: Path, digest: str) -> int | None:
    """What the shards of one embedder in a folder were made with, or None."""
    for path in sorted(folder.glob("*.json")):
        try:
            found = read_json(path, "shard manifest")
            if found["embedder"]["digest"] == digest and found["batch_tokens"]:
                return int(found["batch_tokens"])
        except (NounflowError, KeyError, TypeError):  # counts and other files
            continue
    return None
