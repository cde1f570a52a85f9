"""The training loop that the decoder and the `head` baseline share: same samples, same noise, same schedule.

Everything random is a function of (seed, step), so a step's batch does not depend on how the run got there. Nothing is
read back from a GPU within a step; figures are looked at now and then.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch

from nounflow.config.noise import NoiseConfig
from nounflow.config.training import TrainingConfig
from nounflow.device import by_device, on_device
from nounflow.errors import NounflowError
from nounflow.progress import Progress
from nounflow.training.batches import micro_batches, noisy, rows_of_step, torch_seed
from nounflow.training.checkpoint import Checkpoints, State, put_back, tensors_of
from nounflow.training.curves import Curves
from nounflow.training.loss import TrainingTask
from nounflow.training.memory import check_step
from nounflow.training.noise import noise_scale
from nounflow.training.optimisation import AveragedWeights, adamw, learning_rate, scale_and_clip, set_learning_rate
from nounflow.training.processes import Processes
from nounflow.training.stopping import StopSignals, diverged
from nounflow.training.validation import SPLITS, Choice, Samples, autocasting, evaluate

_LOGS = 60  # rows of the training curve
_LOOK = (1, 20)  # CPU and GPU: steps between looks at the figures: a look makes the host wait for a GPU
_MICRO_BATCH = (512, 8192)  # CPU and GPU: rows


class Recipe(Protocol):
    """The settings that the loop goes by."""

    @property
    def training(self) -> TrainingConfig: ...
    @property
    def noise(self) -> NoiseConfig: ...
    @property
    def seed(self) -> int: ...


class TrainingRun:
    """A training run: `train` takes it to its end, `advance` a step on."""

    def __init__(
        self,
        task: TrainingTask,
        samples: Samples,
        recipe: Recipe,
        processes: Processes,
        autocast: torch.dtype | None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """
        Args:
            autocast: torch.bfloat16, or None for fp32.

        Raises:
            NounflowError: it does not fit into memory, or the processes are more than the samples of a step.
        """
        config = recipe.training
        if config.batch_size < processes.count:
            raise NounflowError(
                f"A batch of {config.batch_size} cannot be shared by {processes.count} processes",
                fix="raise `training.batch_size`, or start fewer processes",
            )
        self._task, self._samples, self._recipe = task, samples, recipe
        self._processes, self._autocast, self._checkpoints = processes, autocast, checkpoints
        self._module, self._device = task.module, processes.device
        self._shape = samples.shape.to(self._device)
        self._micro_batch = config.micro_batch or by_device(self._device, *_MICRO_BATCH)
        self._look_every = by_device(self._device, *_LOOK)
        self.steps = math.ceil(config.samples / config.batch_size)
        self.step = 0  # steps done
        self.curves, self.note = Curves(), ""
        self._choice = Choice()
        self._totals = torch.zeros(3, device=self._device)  # loss, basis, correct since the last log
        self._bad = torch.full((), -1, device=self._device)  # first step that was not finite
        processes.same_weights(self._module)
        rows = rows_of_step(samples.training_set, recipe.seed, 0, config.batch_size)
        check_step(task, samples.training_set.vectors.shape[1], rows, config, self._micro_batch, self._device, autocast)
        self._batches: Iterator[tuple[np.ndarray, torch.Tensor]] | None = None  # from the next step on
        self._optimizer = adamw(self._module, config)
        self._average = AveragedWeights(self._module, config.ema) if config.ema else None
        if config.compile:
            self._module.compile(dynamic=True)

    @property
    def seen(self) -> int:
        """Samples trained on so far."""
        return self.step * self._recipe.training.batch_size

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or patience is at its end."""
        patience = self._recipe.training.patience
        return self.step == self.steps or bool(patience and self._choice.evaluations_since >= patience)

    def train(self, on_metrics: Callable[[Curves], None] = lambda _curves: None) -> Curves:
        """Train in place for `recipe.training.samples` samples, going on from a checkpoint where there is one.

        Args:
            on_metrics: called in the first process whenever a row was added to the curves, every few seconds.

        Raises:
            NounflowError: the loss or a gradient is no longer finite, the run was asked to stop, or its checkpoint is
                of another recipe.
        """
        config, first = self._recipe.training, self._processes.first
        self.resume()
        saved = time.monotonic()
        with (
            Progress("training", self.steps * config.batch_size, "samples", self.seen, quiet=not first) as progress,
            StopSignals() as signals,
        ):
            while not self.finished:
                self.advance()
                if self.measure() and first:
                    on_metrics(self.curves)
                stop = self.agreed(signals.received is not None)
                late = time.monotonic() - saved >= 60 * config.checkpoint_minutes
                if stop or late or (config.checkpoint_steps and self.step % config.checkpoint_steps == 0):
                    self.save()
                    saved = time.monotonic()
                if stop:
                    self.stop(signals.received)
                progress.advance(config.batch_size, self.note)
        self.choose_weights()
        return self.curves

    def advance(self) -> None:
        """One step of the optimiser."""
        config = self._recipe.training
        self._module.train()
        totals = self.gradients()
        norm = scale_and_clip(self._module, totals[1], config.clip)
        set_learning_rate(self._optimizer, learning_rate(self.step, self.steps, config))
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._average:
            self._average.update()
        self._totals += totals
        finite = torch.isfinite(norm) & torch.isfinite(totals[0])
        self._bad = torch.where(finite | (self._bad >= 0), self._bad, self.step)
        self.step += 1

    def measure(self) -> bool:
        """Look at the figures where that is due; says whether the curves have grown."""
        config = self._recipe.training
        log, evaluation = self._due(_LOGS), self._due(config.evaluations)
        if log or self.step % self._look_every == 0:
            self._look()
        if log:
            loss, basis, correct = self._totals.tolist()
            rate = learning_rate(self.step - 1, self.steps, config)
            self.curves.add(self.seen, "train", loss=loss / basis, token_accuracy=correct / basis, learning_rate=rate)
            self._totals.zero_()
        if evaluation:
            self._evaluate()
        return log or evaluation

    def agreed(self, stop: bool) -> bool:
        """Whether any process is to stop; they ask each other at looks only."""
        if self._processes.count == 1:
            return stop
        if self.step % self._look_every:
            return False
        return bool(self._processes.sum(torch.tensor(float(stop), device=self._device)).item())

    def save(self) -> None:
        """Write a checkpoint, in the first process; never one of weights that are not finite."""
        self._look()
        if self._checkpoints and self._processes.first:
            tensors = tensors_of(self._module, self._optimizer, self._average) | {"totals": self._totals}
            figures = {"curves": self.curves.rows, "choice": self._choice.figures()}
            self._checkpoints.save(State(self.step, tensors, self._choice.tensors, figures))

    def stop(self, signal: str | None) -> None:
        """Leave with a message."""
        self._processes.wait()  # the first one has written
        where = self._checkpoints.folder if self._checkpoints else None
        raise NounflowError(
            f"Training was stopped by {signal or 'another process'} after {self.seen:,} samples"
            + ("; a checkpoint is written" if where else ""),
            where=where,
            fix="run the same command again: it goes on from there" if where else None,
        )

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        state = self._checkpoints and self._checkpoints.load(self._device)
        if not state:
            return
        self.step = state.step
        put_back(state.tensors, self._module, self._optimizer, self._average)
        self._totals.copy_(state.tensors["totals"])
        self.curves.rows = [tuple(row) for row in state.figures["curves"]]
        choice = dict(state.figures["choice"])
        choice["loss"] = math.inf if choice["loss"] is None else choice["loss"]
        self._choice = Choice(**choice, tensors=state.best)
        print(f"going on from a checkpoint after {self.seen:,} samples", flush=True)

    def choose_weights(self) -> None:
        """Put the weights that are the result into the module."""
        if self._choice.tensors is not None:
            self._module.load_state_dict(self._choice.tensors)
            self.curves.kept = self._choice.samples
        elif self._average:
            self._module.load_state_dict(self._average.tensors)

    def gradients(self) -> torch.Tensor:
        """Compute the gradients of the whole batch's summed loss.

        Returns:
            Loss total, basis and correct of the batch (see `LossParts`), float32 [3].
        """
        config, seed = self._recipe.training, self._recipe.seed
        places = self._processes.places(config.batch_size)
        if self._batches is None:
            left, training_set = range(self.step, self.steps), self._samples.training_set
            self._batches = training_set.batches(seed, config.batch_size, left, self._device)
        drawn, vectors = next(self._batches)  # rows [batch], float16 [batch, dim]
        scale = noise_scale(self._recipe.noise, self.step / self.steps)
        embeddings = noisy(vectors, places, self._recipe.noise, seed, self.step, self._shape, scale)
        torch.manual_seed(torch_seed(seed, "dropout", self.step, self._processes.rank))
        rows = drawn[places.start : places.stop]  # of this process, as the embeddings [places, dim]
        totals = torch.zeros(3, device=self._device)
        for groups in micro_batches(self._task.cost(rows), self._micro_batch, self._device):
            with autocasting(self._device, self._autocast):  # around all groups: weights are cast once
                parts = [
                    self._task.loss(embeddings[on_device(torch.from_numpy(group), self._device)], rows[group])
                    for group in groups
                ]
            torch.stack([part.total for part in parts]).sum().backward()
            totals += torch.stack([part.stack() for part in parts]).sum(0)
        self._processes.sum_gradients(self._module)
        return self._processes.sum(totals)

    def _due(self, times: int) -> bool:
        return self.step % max(1, self.steps // times) == 0 or self.step == self.steps

    def _look(self) -> None:
        """Read figures from the device: the live note, and whether all was finite.

        Raises:
            NounflowError: it was not; the step, its rows and the last good checkpoint are named.
        """
        loss, basis, correct = self._totals.tolist()
        if (bad := int(self._bad)) >= 0:
            training_set = self._samples.training_set
            rows = rows_of_step(training_set, self._recipe.seed, bad, self._recipe.training.batch_size)
            raise diverged(training_set, rows, f"{bad + 1:,} of {self.steps:,}", self._checkpoints)
        if basis:
            self.note = f"loss {loss / basis:.3f}, {correct / basis:.1%} of tokens right"

    def _evaluate(self) -> None:
        """Look at the held-out texts, with the averaged weights where there are any."""
        config = self._recipe.training
        with self._average.in_place() if self._average else contextlib.nullcontext():
            for split, rows in self._samples.heldout.items():
                figures = evaluate(self._task, self._samples, rows, self._autocast, self._processes)
                self.curves.add(self.seen, split, **figures)
                if split == SPLITS[config.watch]:
                    self._choice.look(figures["loss"], self.seen, self._module, config.keep == "best")
