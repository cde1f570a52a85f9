"""How weights move: AdamW as published, the learning rate of a step, averaged weights."""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import nn

from nounflow.config.training import TrainingConfig


def adamw(module: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices only, as published. The learning rate is set at each step."""
    parameters = list(module.parameters())
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, config.beta2),
        fused=True,
    )


def learning_rate(step: int, steps: int, config: TrainingConfig) -> float:
    """Rate of a step, counted from 0: linear warm-up, then half a cosine down to 0."""
    rising = max(1, round(config.warmup * steps))
    if step < rising:
        return config.learning_rate * (step + 1) / rising
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """One rate for all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def scale_and_clip(module: nn.Module, basis: torch.Tensor, clip: float) -> torch.Tensor:
    """Turn gradients of a summed loss into those of the mean loss, of norm `clip` at most.

    Nothing is read back from the device.

    Args:
        basis: sum of the weights in the loss, a tensor of one number, [].

    Returns:
        The norm of the mean loss's gradients before they are clipped, [].
    """
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients) / basis
    factor = (clip / (norm + 1e-6)).clamp(max=1.0) / basis
    for gradient in gradients:
        gradient.mul_(factor)
    return norm


class AveragedWeights:
    """Exponential moving average of a module's weights, one step of it an optimiser step."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module, self._decay = module, decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """average <- decay * average + (1 - decay) * weights."""
        for name, tensor in self._module.state_dict().items():
            self.tensors[name].lerp_(tensor, 1 - self._decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The module has the averaged weights within the block."""
        own = {name: tensor.detach().clone() for name, tensor in self._module.state_dict().items()}
        self._module.load_state_dict(self.tensors)
        try:
            yield
        finally:
            self._module.load_state_dict(own)
