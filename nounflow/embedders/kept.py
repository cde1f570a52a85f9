"""Tensors that take seconds to compute and are always the same, kept in the user's cache for the next process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from nounflow.errors import NounflowError
from nounflow.files import sha256_text
from nounflow.store.weights import save_tensors

_NAME = "tensor"


def kept(name: str, made_from: tuple[str, ...], make: Callable[[], torch.Tensor]) -> torch.Tensor:
    """The tensor that `make` makes, from $XDG_CACHE_HOME/nounflow (~/.cache/nounflow) if it is there.

    Args:
        made_from: all that decides about it. Threads, processor and torch, on which its last bits depend, are added.
    """
    last_bits = (torch.__version__, str(torch.get_num_threads()), torch.backends.cpu.get_cpu_capability())
    file = f"nounflow/{name}-{sha256_text(*made_from, *last_bits)[:24]}.safetensors"
    with contextlib.suppress(OSError, SafetensorError, KeyError, RuntimeError):
        return load_file(_cache() / file)[_NAME]
    made = make()
    with contextlib.suppress(OSError, NounflowError, RuntimeError):  # costs time, nothing else
        path = _cache() / file
        path.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(path, {_NAME: made})
    return made


def _cache() -> Path:
    """RuntimeError for a user without a home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
