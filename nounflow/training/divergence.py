"""What to say of a step whose loss or gradient is not finite."""

import numpy as np

from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.store.training_set import TrainingSet
from nounflow.training.checkpoint import Checkpoints

_SHOWN = 20


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
