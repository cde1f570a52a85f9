"""Training a no-model through the loop of decoder and head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from nounflow.config.no_model import NoModelConfig
from nounflow.device import autocast_dtype
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.open_set.bank import NounBank
from nounflow.open_set.no_model import NoHead, NoTask, NoTower
from nounflow.open_set.no_store import no_embeddings, text_encoder, write_no_model
from nounflow.open_set.pair_store import Pairs
from nounflow.open_set.reference import temperature_of
from nounflow.store.training_set import TrainingSet
from nounflow.training.checkpoint import Checkpoints
from nounflow.training.curves import Reporter
from nounflow.training.loop import TrainingRun
from nounflow.training.noise_shape import load_noise_shape
from nounflow.training.processes import joined_processes
from nounflow.training.validation import hold_out


def train_no_model(
    name: str,
    settings: NoModelConfig,
    material: TrainingSet | Pairs,
    nouns: Sequence[str],
    embedder: Embedder | None,
    bank: NounBank,
    device: str,
    out: Path,
    code: str,
) -> None:
    """Train on texts or pairs, and write the model; curves and a checkpoint go into a folder beside the file `out`.

    Args:
        settings: with the noise settled.
        nouns: of the texts' lexicon; not of pairs.
        embedder: whose text tower is copied, in mode `tower`.
        bank: of nouns that get a no-embedding.

    Raises:
        NounflowError: there are fewer pairs than a batch, the tower cannot be copied, the loss is not finite, or the
            job was stopped; it then goes on from its checkpoint.
    """
    folder = out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    pairs = material if isinstance(material, Pairs) else None
    samples = material.images if isinstance(material, Pairs) else material
    if pairs:
        nouns = list(dict.fromkeys(pairs.captions))  # in the order of target ids
        if (there := int((~samples.heldout).sum())) < settings.training.batch_size:
            raise NounflowError(
                f"There are {there:,} pairs to train on, fewer than a batch of {settings.training.batch_size:,}",
                where=f"open_set.no_models.{name}",
                fix="give more pairs, or lower `training.batch_size`",
            )
    with joined_processes(device) as processes:
        torch.manual_seed(settings.seed)
        module: NoHead | NoTower
        tokens = None
        if settings.mode == "tower":
            assert embedder is not None
            assert pairs is not None
            encoder, captions = text_encoder(embedder), pairs.captions
            module = NoTower(encoder, settings.prompts).to(device)

            def tokens(rows: np.ndarray) -> tuple[torch.Tensor, ...]:
                return encoder.batch([captions[row] for row in rows.tolist()])
        else:
            module = NoHead(samples.manifest.embedder.dim, settings.hidden, settings.prompts).to(device)
        captions_of = pairs.texts if pairs else None
        task = NoTask(module, samples, temperature_of(samples.manifest.embedder), captions_of, tokens)
        checkpoints = Checkpoints(
            folder / "checkpoint",
            recipe={**settings.shaping(), "index": samples.manifest.index_sha256},
            environment={"device": device, "threads": torch.get_num_threads(), "code": code},
        )
        reporter = Reporter(name, folder, settings.model_dump(mode="json"), settings.training.trackers)
        shape = load_noise_shape(settings.noise, None, samples)
        held = hold_out(samples, settings.training, nouns, None, shape)
        autocast = autocast_dtype(settings.training.precision, device)
        TrainingRun(task, held, settings, processes, autocast, checkpoints).train(reporter)
        no = no_embeddings(module, bank.manifest.nouns, bank.vectors, bank.manifest.prompts, embedder)
        write_no_model(out, module, no, bank)
        reporter.close()
        checkpoints.remove()
