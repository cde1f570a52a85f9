"""Texts as keys and digests: by these, shards, captions files and each other's texts are told apart."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nounflow.store.shards import KEY_BYTES


def text_keys(texts: Iterable[str | bytes]) -> np.ndarray:
    """The 128-bit BLAKE2b of each text: uint8 [texts, 16]."""
    digests = [
        hashlib.blake2b(text.encode() if isinstance(text, str) else text, digest_size=KEY_BYTES).digest()
        for text in texts
    ]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, KEY_BYTES)


def heldout_mask(keys: np.ndarray, share: float) -> np.ndarray:
    """Which texts are held out, bool [texts]: those whose key, read as a number in [0, 1), is below `share`.

    It depends on nothing but the text, so a text stays held out in every mixture and lexicon.
    """
    return np.ascontiguousarray(keys).view("<u8")[:, 0] < np.uint64(min(share * 2**64, 2**64 - 1))


def closed_bytes(texts: pa.StringArray) -> memoryview:
    """What `sha256_text` takes in of some texts, from an Arrow batch and without a Python object for each."""
    closed = pc.binary_join_element_wise(texts, "", "\0")
    _validity, offsets, payload = closed.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[closed.offset : closed.offset + len(closed) + 1]
    return memoryview(payload)[int(ends[0]) : int(ends[-1])]
