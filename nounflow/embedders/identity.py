"""Digests that say whether two vectors may be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING

from nounflow.files import sha256_json, sha256_text
from nounflow.schemas.embeddings import EmbedderIdentity

if TYPE_CHECKING:
    import torch


def make_identity(
    *,
    spec: str,
    dim: int,
    weights: str,
    tokenizer: str,
    preprocessing: str,
    precision: str,
    libraries: Sequence[str] = (),
    logit_scale: float | None = None,
) -> EmbedderIdentity:
    """An identity whose digest covers what makes a vector.

    The device, the spec (a folder may move), the versions of the libraries and the logit scale, which is one of the
    weights, are no part of the digest.
    """
    parts = {
        "dim": dim,
        "weights": weights,
        "tokenizer": tokenizer,
        "preprocessing": preprocessing,
        "precision": precision,
    }
    versions = {name: version(name) for name in libraries}
    return EmbedderIdentity(digest=sha256_json(parts), spec=spec, versions=versions, logit_scale=logit_scale, **parts)


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of a state dict, in the order of names; tensors of any shape."""
    import torch

    def digest(name: str) -> str:
        tensor = state[name].detach().cpu().contiguous()
        payload = tensor.reshape(-1).view(torch.uint8).numpy()  # bytes: numpy has no bf16
        return sha256_text(name, str(tensor.dtype), str(tuple(tensor.shape)), hashlib.sha256(payload.data).hexdigest())

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # hashing releases the interpreter
        return sha256_text(*pool.map(digest, sorted(state)))
