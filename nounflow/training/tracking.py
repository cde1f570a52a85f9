"""Where else the curves go: TensorBoard and Weights & Biases, where they are asked for."""

import importlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError
from nounflow.files import write_text


class TensorBoard:
    """Event files in `tensorboard/` of the run's folder."""

    def __init__(self, folder: Path, _run: str, _settings: Mapping[str, Any], first: int, fresh: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if fresh:
            shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first)

    def log(self, samples: int, figures: Mapping[str, float]) -> None:
        """Figures ("train/loss") after so many training samples."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, samples)
        self._writer.flush()

    def close(self) -> None:
        """The run ended well."""
        self._writer.close()


class WeightsAndBiases:
    """A run of the project `nounflow`; where it goes and whose it is, the environment says (WANDB_*)."""

    def __init__(self, folder: Path, run: str, settings: Mapping[str, Any], _first: int, fresh: bool) -> None:
        import wandb

        self._id_file = folder / "wandb.id"  # a run that goes on stays one run there, too
        if fresh or not self._id_file.exists():
            write_text(self._id_file, uuid.uuid4().hex)
        self._run = wandb.init(
            project="nounflow",
            name=run,
            id=self._id_file.read_text(encoding="utf-8"),
            resume="allow",
            config=dict(settings),
            dir=str(folder),
        )
        self._run.define_metric("*", step_metric="samples")

    def log(self, samples: int, figures: Mapping[str, float]) -> None:
        """Figures ("train/loss") after so many training samples."""
        self._run.log({**figures, "samples": samples})

    def close(self) -> None:
        """The run ended well."""
        self._run.finish()
        self._id_file.unlink(missing_ok=True)


Tracker = TensorBoard | WeightsAndBiases
_TRACKERS: dict[str, tuple[str, type[Tracker]]] = {  # name -> module that it needs
    "tensorboard": ("torch.utils.tensorboard", TensorBoard),
    "wandb": ("wandb", WeightsAndBiases),
}


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers whose package is not installed.

    Raises:
        NounflowError: naming the package.
    """
    for name in names:
        try:
            importlib.import_module(_TRACKERS[name][0])
        except ImportError as error:
            raise NounflowError(
                f"The tracker '{name}' needs a package that is not installed ({error})",
                fix="pip install 'nounflow[tracking]', or leave it out of `training.trackers`",
            ) from error


def open_trackers(
    names: Sequence[str], folder: Path, run: str, settings: Mapping[str, Any], first: int, fresh: bool
) -> list[Tracker]:
    """The trackers of a run.

    Args:
        first: samples of the first figures to come; what a killed process wrote from there on is passed over.
        fresh: the run began anew, so that events of an earlier one are of no use.
    """
    return [_TRACKERS[name][1](folder, run, settings, first, fresh) for name in names]
