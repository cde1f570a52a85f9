"""What a training run will need in memory, said before it starts rather than when it runs out."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from nounflow.config.training import TrainingConfig
from nounflow.device import free_memory
from nounflow.errors import NounflowError
from nounflow.training.loss import TrainingTask
from nounflow.training.validation import autocasting

_MEASURED = 64  # rows whose activations are measured
_FLOAT = 4  # bytes: weights, gradients and AdamW's moments are float32


def check_size(build: Callable[[], nn.Module], config: TrainingConfig, device: str) -> None:
    """Refuse a module whose weights, gradients and optimiser cannot fit, before any of it is made.

    Args:
        build: makes the module; called on torch's meta device, where tensors take no memory.

    Raises:
        NounflowError: says what needs how much.
    """
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in build().parameters())
    weights = {f"weights ({parameters:,} parameters)": _FLOAT * parameters}
    require(weights | _beside_weights(parameters, config), device)


def check_step(
    task: TrainingTask,
    dim: int,
    rows: np.ndarray,
    config: TrainingConfig,
    micro_batch: int,
    device: str,
    autocast: torch.dtype | None,
) -> None:
    """Refuse a training whose weights are on the device and whose steps, of rows as these [batch], cannot fit there.

    Args:
        dim: of the embeddings.
        micro_batch: most rows computed at once.

    Raises:
        NounflowError: says what needs how much.
    """
    parameters = sum(parameter.numel() for parameter in task.module.parameters())
    costliest = rows[np.argsort(task.cost(rows), kind="stable")[-micro_batch:]]
    activations = activation_bytes(task, dim, costliest, device, autocast)
    needs = _beside_weights(parameters, config) | {f"activations of {len(costliest):,} samples": activations}
    require(needs, device)


def _beside_weights(parameters: int, config: TrainingConfig) -> dict[str, int]:
    """Bytes by purpose of all else that has the shape of the weights."""
    needs = {"gradients": _FLOAT * parameters, "optimiser": 2 * _FLOAT * parameters}
    if config.ema:
        needs["averaged weights"] = _FLOAT * parameters
    if config.keep == "best":
        needs["best weights"] = _FLOAT * parameters
    return needs


def activation_bytes(task: TrainingTask, dim: int, rows: np.ndarray, device: str, autocast: torch.dtype | None) -> int:
    """Bytes that the backward pass of some training-set rows [n] keeps, about; measured on a few of them."""
    few = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MEASURED)).astype(np.int64)]
    half = few[::2]
    if len(half) == len(few):
        return _saved_bytes(task, dim, few, device, autocast)
    some, more = (_saved_bytes(task, dim, part, device, autocast) for part in (half, few))
    return round(more + (more - some) / (len(few) - len(half)) * (len(rows) - len(few)))


def _saved_bytes(task: TrainingTask, dim: int, rows: np.ndarray, device: str, autocast: torch.dtype | None) -> int:
    storages: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in task.module.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    task.module.train()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), autocasting(device, autocast):
        loss = task.loss(torch.ones(len(rows), dim, device=device), rows)
    del loss
    return sum(storages.values())


def require(needs: Mapping[str, int], device: str) -> None:
    """Refuse needs (bytes by purpose) above what is free, where that can be known.

    Raises:
        NounflowError: says what needs how much.
    """
    total, free = sum(needs.values()), free_memory(device)
    if free is None or total <= free:
        return
    lines = [f"{name}: {_readable(value)}" for name, value in needs.items()]
    raise NounflowError(
        f"Training needs about {_readable(total)} of memory on the {'CPU' if device == 'cpu' else 'GPU'}, "
        f"and {_readable(free)} are free:\n    " + "\n    ".join(lines),
        fix="lower `training.micro_batch` for the activations, `decoder` or `head` sizes for the rest",
    )


def _readable(value: int) -> str:
    return f"{value / 2**30:,.2f} GiB"
