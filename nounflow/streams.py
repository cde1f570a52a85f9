"""Counter-based random streams: the same (seed, stage, index) gives the same draws, in any order and on any shard."""

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """An independent Philox generator for a seed and a path of names, such as `stream(1, "m2", row)`.

    Nothing of one stream depends on how much was drawn from another, so a shard,
    a resumed job and a whole run give the same bytes.
    """
    return np.random.Generator(np.random.Philox(key=stream_key(seed, *names)))


def stream_key(seed: int, *names: str | int) -> np.ndarray:
    """The 128-bit Philox key of a stream, as two uint64."""
    text = "\0".join([str(int(seed)), *(str(name) for name in names)])
    return np.frombuffer(hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest(), dtype=np.uint64)


def unit_hash(seed: int, name: str, text: str) -> float:
    """A fixed number in [0, 1) for a text: splits that do not depend on the order or presence of other texts."""
    digest = hashlib.blake2b(f"{seed}\0{name}\0{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64
