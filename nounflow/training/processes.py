"""One process, or several that share each batch (`torchrun`): equal weights, gradients pooled by the whole batch.

A process computes its run of the batch's places. Sums of losses, of their weights and of gradients are added over all
processes, so that the step is that of one process at the same batch size.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    device: str  # cpu or cuda
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def places(self, batch_size: int) -> range:
        """This process's places of a batch."""
        return range(batch_size * self.rank // self.count, batch_size * (self.rank + 1) // self.count)

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Add a tensor of any shape up over all processes, element by element, in place."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, module: nn.Module) -> None:
        """Add the gradients up over all processes, in one transfer."""
        if self.count == 1:
            return
        parameters = list(module.parameters())
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def same_weights(self, module: nn.Module) -> None:
        """Give all processes the first one's weights."""
        if self.count > 1:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            dist.barrier()


@contextlib.contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """The processes that `torchrun` started, or this one alone; `device` is "cpu" or "cuda"."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(device)
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes(device, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
