"""What is held out of training, without any label of an image, and what follows from it: which weights are kept,
and when to stop.

Three kinds of texts are held out: captions (by the training set), all captions of some nouns, and all captions made
from some templates. Which nouns and templates depends on a hash of each alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nounflow.config.training import TrainingConfig
from nounflow.device import on_device
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_text
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import ShardManifest
from nounflow.schemas.tables import CAPTIONS, read_table
from nounflow.store.training_set import TrainingSet
from nounflow.streams import unit_hash
from nounflow.training.batches import spaced
from nounflow.training.loss import TrainingTask
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape
from nounflow.training.processes import Processes

SPLITS = {"captions": "heldout", "nouns": "heldout_nouns", "templates": "heldout_templates"}  # watch -> split

_ROWS = 4096  # most rows of a split that are looked at, evenly spaced
_PART = 1024  # rows computed at once


@dataclass(frozen=True)
class Samples:
    """A training set of which the held-out rows weigh nothing, these rows by split, and what the noise measured."""

    training_set: TrainingSet
    heldout: dict[str, np.ndarray]  # split of the curves -> rows, int64
    shape: NoiseShape = NO_SHAPE


def hold_out(
    training_set: TrainingSet,
    config: TrainingConfig,
    nouns: Sequence[str],
    templates: np.ndarray | None = None,
    shape: NoiseShape = NO_SHAPE,
) -> Samples:
    """Take some nouns' and some templates' rows out of training too, as far as the config asks for it.

    A row counts to one split only: nouns before templates before captions.

    Args:
        nouns: display nouns by target id.
        templates: template of each row, str [samples]; needed where `heldout_templates` is above 0.
        shape: what the noise measured.

    Raises:
        NounflowError: nothing is left to train on, or nothing is there to watch.
    """
    chosen = np.array([unit_hash(0, "heldout noun", noun) < config.heldout_nouns for noun in nouns])
    of_nouns = np.logical_or.reduceat(chosen[training_set.targets], training_set.offsets[:-1])
    of_templates = np.zeros_like(of_nouns)
    if config.heldout_templates:
        assert templates is not None
        names, name_of_row = np.unique(templates, return_inverse=True)
        out = [unit_hash(0, "heldout template", name) < config.heldout_templates for name in names]
        of_templates = np.array(out)[name_of_row] & ~of_nouns
    masks = (training_set.heldout & ~of_nouns & ~of_templates, of_nouns, of_templates)
    by_split = zip(SPLITS.values(), masks, strict=True)
    rows = {split: spaced(np.flatnonzero(mask), _ROWS) for split, mask in by_split if mask.any()}
    if of_nouns.any() or of_templates.any():
        weights = np.where(of_nouns | of_templates, 0.0, training_set.weights)
        if not weights.any():
            raise NounflowError(
                "Every text is held out; none is left to train on",
                fix="lower `training.heldout_nouns` or `training.heldout_templates`",
            )
        training_set = replace(training_set, weights=weights)
    if (config.keep == "best" or config.patience) and SPLITS[config.watch] not in rows:
        raise NounflowError(
            f"`keep: best` and `patience` go by the loss on held-out {config.watch}, and none are held out",
            fix="raise `heldout` of the mixture, or `heldout_nouns` or `heldout_templates` of the training",
        )
    return Samples(training_set, rows, shape)


def templates_of(training_set_path: Path, training_set: TrainingSet, captions: Mapping[str, Path]) -> np.ndarray:
    """The template of each row of a training set, str [samples], from the captions files that were embedded.

    Args:
        captions: source -> its captions file.

    Raises:
        NounflowError: a source's captions are missing, or are not those that were embedded.
    """
    parts = []
    tables = {source: read_table(path, CAPTIONS, "captions file") for source, path in captions.items()}
    for reference in training_set.manifest.shards:
        if reference.source not in tables:
            raise NounflowError(
                f"`heldout_templates` needs the captions of '{reference.source}'", fix="name its file with --captions"
            )
        shard = read_document(ShardManifest, training_set_path.parent / reference.path, "shard manifest")
        rows = tables[reference.source].slice(shard.start, shard.rows)
        if sha256_text(*rows["text"].to_list()) != shard.texts:
            raise MismatchError(
                "The captions are not those that were embedded",
                where=f"{captions[reference.source]} against {training_set_path.parent / reference.path}",
                fix="make the embeddings anew from these captions",
            )
        parts.append(rows["template"].to_numpy())
    return np.concatenate(parts).astype(str)


@torch.no_grad()
def evaluate(
    task: TrainingTask, samples: Samples, rows: np.ndarray, autocast: torch.dtype | None, processes: Processes
) -> dict[str, float]:
    """Mean loss (nats) and token accuracy (0 to 1) on some rows [n], which the processes share.

    Embeddings have no noise, but are shifted as in training.
    """
    task.module.eval()
    totals = torch.zeros(3, device=processes.device)
    rows, shape = rows[processes.rank :: processes.count], samples.shape.to(processes.device)
    for part in np.array_split(rows, math.ceil(len(rows) / _PART)) if len(rows) else []:
        vectors = on_device(torch.from_numpy(samples.training_set.vectors[part]), processes.device).float()
        with autocasting(processes.device, autocast):
            totals += task.loss(shape.shifted(vectors), part).stack()
    loss, basis, correct = processes.sum(totals).tolist()
    return {"loss": loss / basis, "token_accuracy": correct / basis}


def autocasting(device: str, dtype: torch.dtype | None) -> torch.autocast:
    """Autocast to a dtype, or not at all."""
    return torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


@dataclass
class Choice:
    """The best weights so far by the watched loss, and how long ago that was."""

    loss: float = math.inf
    samples: int = 0
    evaluations_since: int = 0
    tensors: dict[str, torch.Tensor] | None = None  # kept only where `keep: best`

    def look(self, loss: float, samples: int, module: nn.Module, keep: bool) -> None:
        """Take in one evaluation of the module as it is."""
        if loss < self.loss:
            self.loss, self.samples, self.evaluations_since = loss, samples, 0
            if keep:
                self.tensors = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        else:
            self.evaluations_since += 1

    def figures(self) -> dict[str, Any]:
        """All but the tensors, for a checkpoint."""
        known = math.isfinite(self.loss)
        return {
            "loss": self.loss if known else None,
            "samples": self.samples,
            "evaluations_since": self.evaluations_since,
        }
