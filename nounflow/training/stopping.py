"""Why a training ends before its time: it is asked to (preemption by a scheduler, or a key), or it diverges."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.store.training_set import TrainingSet
from nounflow.training.checkpoint import Checkpoints

_SHOWN = 20
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes SIGTERM and SIGINT within its block instead of dying of them; a second SIGINT ends the process at once."""

    def __init__(self) -> None:
        self.received: str | None = None  # name of the signal
        self._earlier: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            self._earlier = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name


def diverged(training_set: TrainingSet, rows: np.ndarray, step: str, checkpoints: Checkpoints | None) -> NounflowError:
    """The error that names the step, its rows [batch], those of them to blame, and the last good checkpoint.

    All rows are written into the checkpoint's folder where there is one.
    """
    broken = rows[~np.isfinite(training_set.vectors[rows]).all(1)]
    cause = f"not finite are the embeddings of rows {_listed(broken)}" if len(broken) else "its embeddings are finite"
    fix = "embed the texts of these rows anew" if len(broken) else "lower `training.learning_rate` of this run"
    good, where = "none was written", None
    if checkpoints:
        where = checkpoints.folder / "diverged.json"
        write_json(where, {"step": step, "rows": rows.tolist(), "not_finite": broken.tolist()})
        if checkpoints.step is not None:
            good = f"{checkpoints.folder}, {checkpoints.step:,} steps"
            fix += f"; then delete {checkpoints.folder} to start anew"
    return NounflowError(
        f"Training diverged: the loss or a gradient is not finite at step {step}; {cause}\n"
        f"  rows of the step: {_listed(rows)}\n"
        f"  last good checkpoint: {good}",
        where=where,
        fix=fix,
    )


def _listed(rows: np.ndarray) -> str:
    shown = ", ".join(map(str, rows[:_SHOWN].tolist()))
    return f"{shown} ... ({len(rows):,} in all)" if len(rows) > _SHOWN else shown
