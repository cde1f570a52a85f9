"""How an embedder computes, apart from what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from nounflow.device import Precision

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ComputeOptions:
    """Settled options: no "auto" but for the batch size, which may need a trial."""

    device: str  # cpu or cuda
    precision: Precision
    batch_tokens: int | Literal["auto"]
    compile: bool

    def autocast(self) -> torch.autocast:
        """The context in which a module with fp32 weights computes in the precision."""
        return torch.autocast(self.device, dtype=DTYPES[self.precision], enabled=self.precision != "fp32")
