"""What a killed training run goes on from: safetensors, and a JSON document, replaced last, that names them.

At any moment the document on the disk describes whole files. Random streams are functions of (seed, step), so the step
is the data position and all there is to know of randomness.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from nounflow.errors import DamagedFileError, MismatchError
from nounflow.files import sha256_file
from nounflow.store.checkpoint_files import DOCUMENT, checked_tensors, read_sealed, write_sealed
from nounflow.store.weights import save_tensors
from nounflow.training.optimisation import AveragedWeights


@dataclass(frozen=True)
class State:
    """A run between two steps."""

    step: int  # steps done
    tensors: dict[str, torch.Tensor]  # weights, optimiser, averages, running sums
    best: dict[str, torch.Tensor] | None  # the best weights so far, where they are kept
    figures: dict[str, Any]  # curves and choice: JSON


class Checkpoints:
    """The checkpoint of one run, in a folder of its own."""

    def __init__(self, folder: Path, recipe: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """
        Args:
            recipe: JSON; what the weights depend on. A checkpoint of another recipe is refused.
            environment: JSON; what may differ when a run goes on: it is told, for the weights then differ a little.
        """
        self.folder = Path(folder)
        self._recipe, self._environment = json.loads(json.dumps(recipe)), json.loads(json.dumps(environment))
        self._best: dict[str, Any] | None = None  # samples, file and digest of the best weights on the disk
        self.step: int | None = None  # of the state on the disk that this run wrote or read

    def save(self, state: State) -> Path:
        """Write a state and forget the one before it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = self._write(f"step-{state.step:09d}", state.tensors)
        samples = state.figures["choice"]["samples"]
        if state.best is not None and (self._best is None or self._best["samples"] != samples):
            self._best = {"samples": samples, **self._write(f"best-{samples:012d}", state.best)}
        document = {
            "step": state.step,
            "tensors": tensors,
            "best": self._best,
            "recipe": self._recipe,
            "environment": self._environment,
            "figures": state.figures,
        }
        write_sealed(self.folder / DOCUMENT, document)
        self.step = state.step
        for path in self.folder.iterdir():  # older ones, and what killed writes left
            if path.name not in (DOCUMENT, tensors["file"], self._best and self._best["file"]):
                path.unlink(missing_ok=True)
        return self.folder / DOCUMENT

    def load(self, device: str) -> State | None:
        """The state to go on from, or None where there is none.

        Raises:
            MismatchError: it is of another recipe; the differing keys are named.
            DamagedFileError: its bytes are not those that were written.
        """
        path = self.folder / DOCUMENT
        if not path.exists():
            return None
        document = read_sealed(path, self._way_out)
        if differing := differences(document["recipe"], self._recipe):
            raise MismatchError(
                "The checkpoint is of another recipe or training set:\n    "
                + "\n    ".join(f"{key}: {there} in the checkpoint, {here} now" for key, there, here in differing),
                where=path,
                fix=f"go back to that recipe, or train from the start: {self._way_out}",
            )
        for key, there, here in differences(document["environment"], self._environment):
            print(
                f"going on with {key} {here} where the checkpoint has {there}: "
                "the weights will not be quite those of an undisturbed run",
                flush=True,
            )
        self.step, self._best = document["step"], document["best"]
        return State(
            step=document["step"],
            tensors=self._read(document["tensors"], device),
            best=self._read(self._best, device) if self._best else None,
            figures=document["figures"],
        )

    def remove(self) -> None:
        """Forget everything: the run ended well, or is to start anew."""
        (self.folder / DOCUMENT).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _way_out(self) -> str:
        return f"delete {self.folder}, or pass --restart"

    def _write(self, stem: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
        path = self.folder / f"{stem}.safetensors"
        save_tensors(path, tensors)
        return {"file": path.name, "sha256": sha256_file(path)}

    def _read(self, reference: Mapping[str, Any], device: str) -> dict[str, torch.Tensor]:
        path = checked_tensors(self.folder, reference, self._way_out)
        try:
            return load_file(path, device=device)
        except SafetensorError as error:
            raise DamagedFileError(
                f"A checkpoint's tensors cannot be read ({error})", where=path, fix=self._way_out
            ) from error


def tensors_of(
    module: nn.Module, optimizer: torch.optim.Optimizer, average: AveragedWeights | None
) -> dict[str, torch.Tensor]:
    """All tensors of a run, in their own shapes, under flat names: model.*, optimizer.{parameter}.*, average.*."""
    tensors = {f"model.{name}": tensor for name, tensor in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    if average:
        tensors |= {f"average.{name}": tensor for name, tensor in average.tensors.items()}
    return tensors


def put_back(
    tensors: Mapping[str, torch.Tensor],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights | None,
) -> None:
    """The reverse of `tensors_of`: copies its tensors into a run's module, optimiser and average."""
    parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "optimizer": {}, "average": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    module.load_state_dict(parts["model"])
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, kind = name.split(".")
        states.setdefault(int(index), {})[kind] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
    if average:
        average.tensors = parts["average"]


def differences(first: Mapping[str, Any], second: Mapping[str, Any], path: str = "") -> list[tuple[str, Any, Any]]:
    """Keys in which two JSON objects differ: (dotted key, value in the first, value in the second)."""
    found = []
    for key in dict.fromkeys([*first, *second]):
        there, here = first.get(key, "nothing"), second.get(key, "nothing")
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            found += differences(there, here, f"{path}{key}.")
        elif there != here:
            found.append((f"{path}{key}", there, here))
    return found
