"""Digests that say whether two vectors may be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nounflow.files import sha256_json, sha256_text
from nounflow.schemas.documents import EmbedderIdentity

if TYPE_CHECKING:
    import torch


def make_identity(
    *, spec: str, dim: int, weights: str, tokenizer: str, preprocessing: str, precision: str
) -> EmbedderIdentity:
    """An identity whose digest covers all that is given. The device is no part of it."""
    parts = {
        "spec": spec,
        "dim": dim,
        "weights": weights,
        "tokenizer": tokenizer,
        "preprocessing": preprocessing,
        "precision": precision,
    }
    return EmbedderIdentity(digest=sha256_json(parts), **parts)


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of a state dict, in the order of names."""
    import torch

    parts = []
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        payload = tensor.reshape(-1).view(torch.uint8).numpy()  # bytes: numpy has no bf16
        parts += [name, str(tensor.dtype), str(tuple(tensor.shape)), hashlib.sha256(payload.data).hexdigest()]
    return sha256_text(*parts)
