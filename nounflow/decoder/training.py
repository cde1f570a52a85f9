"""The training loop that the decoder and the `head` baseline share: same samples, same noise, same schedule.

Everything random is a function of (seed, step), so a step's batch does not depend on how the run got there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl
import torch
from torch import nn

from nounflow.config.decoder import NoiseConfig, TrainingConfig
from nounflow.decoder.loss import LossParts
from nounflow.decoder.noise import apply_noise
from nounflow.errors import NounflowError
from nounflow.progress import Progress
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream_key

_LOGS = 60  # rows of the training curve
_VALIDATIONS = 12  # points of the held-out curve
_HELDOUT_ROWS = 4096  # most held-out samples looked at
_GROUPS = 2  # length groups a batch is cut into, so that short rows are not padded to the longest


class Trainee(Protocol):
    """What the loop trains."""

    module: nn.Module

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """Relative length of each training-set row; rows of like length are computed together."""
        ...

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Loss parts of training-set rows [n] under their (noisy) embeddings [n, dim]."""
        ...


@dataclass
class Curves:
    """Metrics by samples seen, as in the METRICS schema."""

    rows: list[tuple[int, str, str, float]] = field(default_factory=list)

    def add(self, samples: int, split: str, **values: float) -> None:
        """Record figures after `samples` training samples."""
        self.rows += [(samples, split, metric, value) for metric, value in values.items()]

    def table(self) -> pl.DataFrame:
        """As a METRICS table."""
        return pl.DataFrame(self.rows, schema=["samples", "split", "metric", "value"], orient="row")

    @property
    def samples(self) -> int:
        """Samples seen in all: whole batches, so a few more than were asked for."""
        return self.rows[-1][0]

    def last(self, split: str) -> dict[str, float]:
        """The latest value of each metric of a split."""
        return {metric: value for _samples, where, metric, value in self.rows if where == split}


def train(
    trainee: Trainee,
    training_set: TrainingSet,
    noise: NoiseConfig,
    config: TrainingConfig,
    seed: int,
    device: str,
    autocast: torch.dtype | None,
    on_metrics: Callable[[Curves], None],
) -> Curves:
    """Train in place for `config.samples` samples.

    Args:
        autocast: torch.bfloat16, or None for fp32.
        on_metrics: called whenever a row was added to the curves, every few seconds.

    Raises:
        NounflowError: the loss is no longer finite.
    """
    steps = math.ceil(config.samples / config.batch_size)
    optimizer = _optimizer(trainee.module, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _learning_rate(step, steps, config.warmup))
    curves = Curves()
    totals = torch.zeros(3, device=device)  # loss, basis, correct since the last log
    log_every, validate_every = max(1, steps // _LOGS), max(1, steps // _VALIDATIONS)
    with Progress("training", steps * config.batch_size, "samples") as progress:
        for step, (rows, vectors) in enumerate(training_set.batches(seed, config.batch_size, range(steps), device)):
            trainee.module.train()
            torch.manual_seed(_torch_seed(seed, "dropout", step))
            generator = torch.Generator(device).manual_seed(_torch_seed(seed, "noise", step))
            totals += _backward(trainee, rows, vectors, noise, generator, autocast)
            norm = nn.utils.clip_grad_norm_(trainee.module.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
            seen = (step + 1) * config.batch_size
            if (step + 1) % log_every == 0 or step + 1 == steps:
                loss, accuracy = _means(totals)
                if not (math.isfinite(loss) and math.isfinite(float(norm))):
                    raise NounflowError(
                        f"Training diverged: loss {loss} after {seen:,} samples",
                        fix="lower `training.learning_rate` of this run",
                    )
                curves.add(
                    seen, "train", loss=loss, token_accuracy=accuracy, learning_rate=float(schedule.get_last_lr()[0])
                )
                totals.zero_()
                on_metrics(curves)
            due = (step + 1) % validate_every == 0 or step + 1 == steps
            if due and (heldout := evaluate(trainee, training_set, device, autocast)):
                curves.add(seen, "heldout", loss=heldout[0], token_accuracy=heldout[1])
                on_metrics(curves)
            latest = curves.last("train").get("loss")
            progress.advance(config.batch_size, "" if latest is None else f"loss {latest:.3f}")
    return curves


@torch.no_grad()
def evaluate(
    trainee: Trainee, training_set: TrainingSet, device: str, autocast: torch.dtype | None
) -> tuple[float, float] | None:
    """Loss and token accuracy on held-out texts without noise; None where nothing is held out."""
    rows = np.flatnonzero(training_set.heldout)[:_HELDOUT_ROWS]
    if len(rows) == 0:
        return None
    trainee.module.eval()
    totals = torch.zeros(3, device=device)
    for part in np.array_split(rows, math.ceil(len(rows) / 1024)):
        vectors = torch.from_numpy(training_set.vectors[part]).to(device)
        with _autocast(vectors.device.type, autocast):
            parts = trainee.loss(vectors.float(), part)
        totals += torch.stack([parts.total, parts.basis, parts.correct])
    return _means(totals)


def _backward(
    trainee: Trainee,
    rows: np.ndarray,
    vectors: torch.Tensor,
    noise: NoiseConfig,
    generator: torch.Generator,
    autocast: torch.dtype | None,
) -> torch.Tensor:
    """Gradients of one batch, in length groups: `vectors` [batch, dim] of `rows`; (loss total, basis, correct)."""
    cost = trainee.cost(rows)
    order = np.argsort(cost, kind="stable")
    totals = torch.zeros(3, device=vectors.device)
    with _autocast(vectors.device.type, autocast):  # around all groups: weights are cast once
        for group in _length_groups(order, cost[order]):
            embeddings = apply_noise(vectors[torch.from_numpy(group).to(vectors.device)].float(), noise, generator)
            parts = trainee.loss(embeddings, rows[group])
            totals = totals + torch.stack([parts.total, parts.basis, parts.correct])
    (totals[0] / totals[1]).backward()
    return totals.detach()


def _length_groups(places: np.ndarray, cost: np.ndarray) -> Iterator[np.ndarray]:
    """Cut places, sorted by cost, into up to `_GROUPS` runs; one run where all cost the same."""
    if cost[0] == cost[-1]:
        yield places
        return
    yield from (part for part in np.array_split(places, _GROUPS) if len(part))


def _optimizer(module: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices only, as published."""
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


def _learning_rate(step: int, steps: int, warmup: float) -> float:
    """Factor of the peak: linear warm-up, then half a cosine down to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _autocast(device: str, dtype: torch.dtype | None) -> torch.autocast:
    return torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def _means(totals: torch.Tensor) -> tuple[float, float]:
    loss, basis, correct = totals.tolist()
    return loss / basis, correct / basis


def _torch_seed(seed: int, name: str, step: int) -> int:
    return int(stream_key(seed, name, step)[0] >> np.uint64(1))
