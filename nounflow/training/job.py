"""From a training script's arguments to a predictor on disk, by way of checkpoints; decoder and head alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from nounflow.config.auto import why_noise
from nounflow.device import autocast_dtype
from nounflow.files import sha256_json
from nounflow.predictor_kinds import TrainingArguments
from nounflow.schemas.tables import read_lexicon_of
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.store.weights import MEMORY, with_image_shift, write_predictor
from nounflow.streams import stream
from nounflow.training.checkpoint import Checkpoints
from nounflow.training.curves import Reporter
from nounflow.training.loop import TrainingRun
from nounflow.training.loss import TrainingTask
from nounflow.training.memory import check_size
from nounflow.training.noise_fit import noise_warning, tell_noise
from nounflow.training.noise_shape import NoiseShape, load_noise_shape
from nounflow.training.processes import Processes, joined_processes
from nounflow.training.synonyms import share_with_synonyms, synonym_groups
from nounflow.training.validation import Samples, hold_out, templates_of

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class TrainingMaterial:
    """What a predictor is trained from, and where."""

    names: tuple[str, ...]  # display nouns by target id
    texts: TrainingSet
    shape: NoiseShape

    @classmethod
    def read(cls, asked: TrainingArguments[Any]) -> "TrainingMaterial":
        """Read what the arguments name."""
        texts = open_training_set(asked.training_set)
        table = read_lexicon_of(asked.nouns, texts.manifest.lexicon, asked.training_set)
        texts = share_with_synonyms(texts, synonym_groups(table), asked.settings.training.synonym_share)
        shape = load_noise_shape(asked.settings.noise, asked.gap[0] if asked.gap else None, texts)
        tell_noise(asked.settings.noise, texts.manifest.embedder.spec)
        if warning := noise_warning(asked.settings.noise, texts, shape):
            print(warning, flush=True)
        return cls(tuple(table["noun"].to_list()), texts, shape)


def train_predictor(
    asked: TrainingArguments[Any],
    material: TrainingMaterial,
    build: Callable[[], Module],
    task_of: Callable[[Module], TrainingTask],
    *,
    beside: Callable[[], None] = lambda: None,
    **fields: Any,
) -> None:
    """Train a module and write its weights, its counts and, last, its manifest. One process of several writes.

    Args:
        build: makes the module, untrained.
        task_of: the module as the loop sees it.
        beside: writes what else belongs into the folder.
        fields: of the manifest.

    Raises:
        NounflowError: the module cannot fit into memory, or a tracker's package is not installed.
    """
    settings, texts = asked.settings, material.texts
    with joined_processes(asked.device) as processes:
        check_size(build, settings.training, asked.device)
        torch.manual_seed(settings.seed)
        module = build().to(asked.device)
        task = task_of(module)
        autocast = autocast_dtype(settings.training.precision, asked.device)
        checkpoints = _checkpoints(asked, material, processes, autocast)
        trackers = settings.training.trackers if processes.first else ()
        reporter = Reporter(asked.run, asked.out.parent, settings.model_dump(mode="json"), trackers)
        if asked.restart and processes.first:
            checkpoints.remove()
        processes.wait()
        samples = _samples(asked, material)
        curves = TrainingRun(task, samples, settings, processes, autocast, checkpoints).train(reporter)
        if not processes.first:
            return
        beside()
        write_predictor(
            asked.out,
            {**with_image_shift(module.state_dict(), material.shape.image_shift), **_memory(texts, settings.memory)},
            **asked.manifest(texts.manifest),
            nouns=material.names,
            samples=curves.samples,
            metrics=curves.of_kept(),
            reasons={"noise": why_noise(settings.noise, texts.manifest.embedder.spec)},
            **fields,
        )
        texts.count_texts(asked.run).write(asked.out.with_suffix(".counts.json"))
        reporter.close()
        checkpoints.remove()  # of no more use


def _memory(texts: TrainingSet, most: int) -> dict[str, torch.Tensor]:
    """The texts onto which images are projected, if any: drawn by weight, each once."""
    if not most:
        return {}
    rows = np.unique(texts.draw(stream(0, "memory"), most))
    return {MEMORY: torch.from_numpy(texts.vectors[rows])}


def _checkpoints(
    asked: TrainingArguments[Any], material: TrainingMaterial, processes: Processes, autocast: torch.dtype | None
) -> Checkpoints:
    """Beside the output: Snakemake deletes the declared outputs of a failed job, and this folder is none of them."""
    training_set = material.texts.manifest.model_dump(mode="json")
    return Checkpoints(
        asked.out.parent / "checkpoint",
        recipe={  # what weights depend on
            **asked.settings.recipe(),
            "precision": "fp32" if autocast is None else "bf16",
            "training_set": {**training_set, "shards": sha256_json(training_set["shards"])},
            "gap": material.shape.source,
        },
        environment={
            "device": asked.device,
            "threads": torch.get_num_threads(),
            "processes": processes.count,
            "torch": torch.__version__,
            "code": asked.code,
        },
    )


def _samples(asked: TrainingArguments[Any], material: TrainingMaterial) -> Samples:
    """The training set less what the settings hold out."""
    config, templates = asked.settings.training, None
    if config.heldout_templates:
        by_source = {path.stem: path for path in asked.captions}
        templates = templates_of(asked.training_set, material.texts, by_source)
    return hold_out(material.texts, config, material.names, templates, material.shape)
