"""A no-model's file: its weights, and what it makes of a bank's nouns; and how nouns are asked about."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nounflow.atomic import atomic_file
from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.text_encoder import TextEncoder
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.open_set.bank import NounBank, unit
from nounflow.open_set.no_model import NoHead, NoTower

_BLOCK = 8192


def text_encoder(embedder: Embedder) -> TextEncoder:
    """The text side of an embedder whose text tower can be copied.

    Raises:
        NounflowError: it is not written out here.
    """
    if (encoder := embedder.open_texts) is None:
        raise NounflowError(
            f"The text tower of {embedder.identity.spec} cannot be copied",
            where="open_set.no_models: mode: tower",
            fix="take mode: head, which needs the cached embeddings only",
        )
    return encoder


@torch.no_grad()
def no_embeddings(
    module: NoHead | NoTower,
    nouns: Sequence[str],
    vectors: np.ndarray,
    prompts: Sequence[str],
    embedder: Embedder | None,
) -> np.ndarray:
    """Unit no-embeddings of nouns, float32 [nouns, dim]: a head's of their unit vectors, a tower's of their prompts."""
    module.eval()
    if isinstance(module, NoTower):
        asking = copy.copy(cast(TwoTowers, embedder))
        asking.texts = replace(asking.texts, forward=module)
        return class_embeddings(asking, nouns, tuple(prompts), progress=False)
    blocks = torch.from_numpy(vectors).split(_BLOCK)
    return torch.cat([module(block.to(module.prompts.device)).cpu() for block in blocks]).numpy()


@dataclass(frozen=True)
class StoredNoModel:
    """A no-model's file: its weights, and what it makes of the nouns of one bank."""

    path: Path
    bank: str  # digest of that bank's vectors
    no: np.ndarray  # float32 [nouns, dim], unit rows, row by row those of the bank

    def module(self, embedder: Embedder) -> NoHead | NoTower:
        """The model itself, for nouns that the bank lacks."""
        with safe_open(self.path, "pt") as file:
            names = [name for name in file.keys() if name != "no"]  # noqa: SIM118  (no dictionary)
            state = {name.removeprefix("model."): file.get_tensor(name) for name in names}
        prompts, *_, dim = state["prompts"].shape
        module: NoHead | NoTower
        if "widen.weight" in state:
            module = NoHead(dim, len(state["widen.weight"]), prompts)
        else:
            module = NoTower(text_encoder(embedder), prompts)
        module.load_state_dict(state)
        return module


def write_no_model(path: Path, module: NoHead | NoTower, no: np.ndarray, bank: NounBank) -> None:
    """Write a no-model beside what it makes of a bank's nouns, [nouns, dim]."""
    tensors = {f"model.{key}": part.detach().cpu().contiguous() for key, part in module.state_dict().items()}
    with atomic_file(path) as temporary:
        tensors["no"] = torch.from_numpy(np.ascontiguousarray(no, np.float16))
        save_file(tensors, temporary, {"bank": bank.manifest.weights_sha256})


def read_no_model(path: Path) -> StoredNoModel:
    """Open a no-model.

    Raises:
        DamagedFileError: it is not such a file.
    """
    try:
        with safe_open(path, "np") as file:
            return StoredNoModel(path, file.metadata()["bank"], unit(file.get_tensor("no")))
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"The no-embeddings cannot be read ({error})", where=path, fix="delete the file and run again"
        ) from error
