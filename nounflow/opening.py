"""A model's folder opened with its embedder, and what keeps a classifier right in several processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.device import by_device, settle_device
from nounflow.embedders.protocol import Embedder
from nounflow.errors import MismatchError, NounflowError
from nounflow.onnx.opening import is_exported, open_exported
from nounflow.predictor_kinds import check_searched

if TYPE_CHECKING:  # PyTorch and more, which an exported model does without
    from nounflow.classifier import NounClassifier
    from nounflow.predictors.protocol import Predictor

_computing: list[int] = []  # the process that computed first


def open_model(
    manifest_path: Path, device: str, threads: int, generation: GenerationConfig | str | None
) -> tuple[Predictor, Embedder, int]:
    """A model, its embedder, and how many images are best embedded together.

    Raises:
        NounflowError: it is damaged, its embedder is not the one installed here, or it has no use for what is asked.
        TypeError: `generation` is neither settings nor their name.
    """
    if isinstance(generation, str):
        generation = GenerationConfig.from_name(generation)
    if not isinstance(generation, GenerationConfig | None):
        raise TypeError(f"`generation` is a GenerationConfig or its name, not {type(generation).__name__}")
    predictor: Predictor
    embedder: Embedder
    if is_exported(manifest_path):
        if device not in ("auto", "cpu"):
            raise NounflowError(
                f"An exported model computes on the processor, not on {device}",
                where=manifest_path,
                fix="leave the device out, or name the run that it was made of",
            )
        predictor, embedder = open_exported(manifest_path, threads, generation)
        batch = 16
    else:
        from nounflow.embedders.load import load_embedder
        from nounflow.predictors.loading import load_predictor
        from nounflow.store.shards import check_identity

        device = settle_device(device)
        predictor = load_predictor(manifest_path, device, generation)
        identity = predictor.manifest.embedder
        config = EmbedderConfig.model_validate({"spec": identity.spec, "precision": identity.precision})
        embedder = load_embedder(config, device)
        check_identity(embedder.identity, identity, "the embedder installed here", manifest_path)
        batch = by_device(device, 4, 32)
    if generation is not None:
        check_searched(predictor.manifest.predictor, manifest_path)
    return predictor, embedder, batch


def loaded_again(
    load: Callable[..., NounClassifier],
    loading: dict[str, Any],
    weights_sha256: str,
    listed: tuple[str, ...] | None,
    merges: bool,
    gate: dict[str, Any],
) -> NounClassifier:
    """A pickled classifier.

    Raises:
        NounflowError: its model is not there, or is another one now.
    """
    found = load(**loading)
    if found.weights_sha256 != weights_sha256:
        raise MismatchError(
            "The model is another one than when the classifier was pickled",
            where=loading["run"],
            fix="pickle the classifier again, or load the model by its path",
        )
    found = found.merged() if merges else found
    found = found if listed is None else found.guide(listed)
    found.__dict__.update(gate)
    return found


def check_process(device: str, threads: int, *, computes: bool = True) -> None:
    """Refuse to compute where it would never end; where it `computes`, remember by which process.

    Raises:
        NounflowError: this is the fork of a process that has computed in several threads; it would wait for ever.
    """
    if not _computing:
        _computing.extend([os.getpid()] * computes)
    elif _computing[0] != os.getpid():
        torch = sys.modules.get("torch")
        if device not in ("auto", "cpu") or (torch.get_num_threads() if torch else threads) > 1:
            raise NounflowError(
                "This process was forked from one that has computed, and would wait for its threads for ever",
                fix='start processes by `multiprocessing.get_context("spawn")`, or before anything is named',
            )


def unit_rows(embeddings: Any, dim: int) -> np.ndarray | None:
    """Array or tensor [n, dim] as float32 [n, dim] of length 1; None: they are no embeddings."""
    if hasattr(embeddings, "detach"):  # a torch tensor, bfloat16 perhaps, which numpy does not know
        embeddings = embeddings.detach().cpu()
        embeddings = embeddings.float() if embeddings.is_floating_point() else embeddings
    found = np.asarray(embeddings)
    if found.ndim != 2 or found.shape[1] != dim or found.dtype.kind not in "fiu":
        return None
    lengths = np.linalg.norm(found.astype(np.float32), axis=1, keepdims=True)
    return found.astype(np.float32) / lengths if (np.isfinite(lengths) & (lengths > 0)).all() else None
