"""Training a no-model on texts, through the loop of decoder and head, and what it makes of a bank's nouns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nounflow.config.no_model import NoModelConfig
from nounflow.device import autocast_dtype
from nounflow.open_set.bank import NounBank
from nounflow.open_set.no_model import NoHead, NoTask
from nounflow.open_set.reference import temperature_of
from nounflow.store.training_set import TrainingSet
from nounflow.store.weights import save_tensors
from nounflow.training.checkpoint import Checkpoints
from nounflow.training.curves import Reporter
from nounflow.training.loop import TrainingRun
from nounflow.training.noise_shape import load_noise_shape
from nounflow.training.processes import joined_processes
from nounflow.training.validation import hold_out

_BLOCK = 8192


def train_no_model(
    name: str, settings: NoModelConfig, texts: TrainingSet, nouns: tuple[str, ...], device: str, out: Path, code: str
) -> NoHead:
    """Train on a training set; weights, curves and, while it trains, a checkpoint go into the folder `out`.

    Args:
        settings: with the noise settled.
        nouns: of the training set's lexicon.

    Raises:
        NounflowError: the loss is not finite, or the job was stopped; it then goes on from its checkpoint.
    """
    out.mkdir(parents=True, exist_ok=True)
    shape = load_noise_shape(settings.noise, None, texts)
    with joined_processes(device) as processes:
        torch.manual_seed(settings.seed)
        module = NoHead(texts.manifest.embedder.dim, settings.hidden, settings.prompts).to(device)
        task = NoTask(module, texts, temperature_of(texts.manifest.embedder))
        checkpoints = Checkpoints(
            out / "checkpoint",
            recipe={**settings.shaping(), "index": texts.manifest.index_sha256},
            environment={"device": device, "threads": torch.get_num_threads(), "code": code},
        )
        reporter = Reporter(name, out, settings.model_dump(mode="json"), settings.training.trackers)
        samples = hold_out(texts, settings.training, nouns, None, shape)
        autocast = autocast_dtype(settings.training.precision, device)
        TrainingRun(task, samples, settings, processes, autocast, checkpoints).train(reporter)
        save_tensors(out / "weights.safetensors", {key: part.cpu() for key, part in module.state_dict().items()})
        reporter.close()
        checkpoints.remove()
    return module


@torch.no_grad()
def no_embeddings(module: NoHead, bank: NounBank) -> np.ndarray:
    """Unit no-embeddings of a bank's nouns, float32 [nouns, dim]."""
    module.eval()
    device = module.prompts.device
    blocks = torch.from_numpy(bank.vectors).split(_BLOCK)
    return torch.cat([module(block.to(device)).cpu() for block in blocks]).numpy()
