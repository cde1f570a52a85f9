"""torch.compile as an option."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nounflow.errors import NounflowError

Forward = Callable[..., Tensor]


def compiled(forward: Forward, wanted: bool) -> Forward:
    """`forward` compiled for any shape at its first call, if wanted.

    Raises (at that call):
        NounflowError: it cannot be compiled here.
    """
    if not wanted:
        return forward
    fast = torch.compile(forward, dynamic=True)

    def run(*inputs: Tensor) -> Tensor:
        try:
            return fast(*inputs)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise NounflowError(
                f"The model cannot be compiled here ({reason})",
                where="compile: true",
                fix="write `compile: false` for the embedder, or install a C++ compiler (apt-get install g++)",
            ) from error

    return run
