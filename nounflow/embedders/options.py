"""How an embedder computes, apart from what it computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nounflow.device import Precision
from nounflow.errors import NounflowError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ComputeOptions:
    """Settled options: no "auto" but for the batch size, which may need a trial."""

    device: str  # cpu or cuda
    precision: Precision
    batch_tokens: int | Literal["auto"]
    compile: bool

    def autocast(self, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """A function of tensors, with weights in fp32, that computes in the precision instead."""

        def run(*inputs: Tensor) -> Tensor:
            with torch.autocast(self.device, dtype=DTYPES[self.precision], enabled=self.precision != "fp32"):
                return forward(*inputs)

        return run

    def compiled(self, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """A function of tensors, compiled for any shape by torch.compile at its first call, if the options say so.

        Raises (at that call):
            NounflowError: it cannot be compiled here.
        """
        if not self.compile:
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
