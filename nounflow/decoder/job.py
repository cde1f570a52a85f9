"""A training job beside its output: checkpoint, metrics, and what the two training scripts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nounflow.config.decoder import DecoderTrainingSettings, HeadTrainingSettings
from nounflow.decoder.checkpoint import Checkpoints
from nounflow.decoder.curves import Curves
from nounflow.decoder.noise_shape import NoiseShape
from nounflow.decoder.processes import Processes
from nounflow.decoder.tracking import Reporter
from nounflow.decoder.trainee import Trainee
from nounflow.decoder.training import train
from nounflow.decoder.validation import Samples, hold_out, templates_of
from nounflow.device import autocast_dtype
from nounflow.files import sha256_json
from nounflow.store.training_set import TrainingSet

# Settings that leave the weights as they are: a run may go on with others.
_WITHOUT_EFFECT = {"training": {"checkpoint_minutes", "checkpoint_steps", "trackers"}}


class TrainingJob:
    """Trains for `out`, the manifest that the caller writes last; its folder holds the checkpoint and the metrics.

    Snakemake deletes the declared outputs of a failed job; the checkpoint is none of them.
    """

    def __init__(
        self,
        run: str,
        out: Path,
        settings: DecoderTrainingSettings | HeadTrainingSettings,
        processes: Processes,
        training_set: TrainingSet,
        shape: NoiseShape,
        restart: bool,
        code: str,
    ) -> None:
        """
        Args:
            shape: what the noise measured.
            restart: forget an earlier checkpoint.
            code: fingerprint of what trains.

        Raises:
            NounflowError: a tracker's package is not installed.
        """
        self._settings, self._processes, self._training_set, self._shape = settings, processes, training_set, shape
        self._autocast = autocast_dtype(settings.training.precision, processes.device)
        self._checkpoints = Checkpoints(
            out.parent / "checkpoint",
            recipe=recipe_of(settings, training_set, shape, self._autocast),
            environment={
                "device": processes.device,
                "threads": torch.get_num_threads(),
                "processes": processes.count,
                "torch": torch.__version__,
                "code": code,
            },
        )
        trackers = settings.training.trackers if processes.first else ()
        self._reporter = Reporter(run, out.parent, settings.model_dump(mode="json"), trackers)
        if restart and processes.first:
            self._checkpoints.remove()
        processes.wait()

    def hold_out(self, training_set_path: Path, nouns: Sequence[str], captions: Sequence[Path]) -> Samples:
        """The training set less what the settings hold out.

        Args:
            nouns: display nouns by target id.
            captions: the captions files, named after their sources; read where templates are held out.
        """
        config, templates = self._settings.training, None
        if config.heldout_templates:
            by_source = {path.stem: path for path in captions}
            templates = templates_of(training_set_path, self._training_set, by_source)
        return hold_out(self._training_set, config, nouns, templates, self._shape)

    def train(self, trainee: Trainee, samples: Samples) -> Curves:
        """Train, going on from a checkpoint where there is one; see `nounflow.decoder.training.train`."""
        return train(
            trainee, samples, self._settings, self._processes, self._autocast, self._checkpoints, self._reporter
        )

    def finish(self) -> None:
        """The outputs are written: the checkpoint is of no more use."""
        self._reporter.close()
        self._checkpoints.remove()


def recipe_of(
    settings: DecoderTrainingSettings | HeadTrainingSettings,
    training_set: TrainingSet,
    shape: NoiseShape,
    autocast: torch.dtype | None,
) -> Mapping[str, Any]:
    """What weights depend on, as JSON."""
    manifest = training_set.manifest.model_dump(mode="json")
    return {
        **settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "precision": "fp32" if autocast is None else "bf16",
        "training_set": {**manifest, "shards": sha256_json(manifest["shards"])},
        "gap": shape.source,
    }
