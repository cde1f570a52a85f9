"""Check sets of made-up pictures, and two small embedders, for the tests of embedder checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nounflow.config.check_set import CheckSetConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.embedder_checks.layouts import Listing, list_check_set
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (24, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def config(kind: str, folder: Path, **more: Any) -> CheckSetConfig:
    return CheckSetConfig(kind=kind, folder=str(folder), **more)


def listed(kind: str, folder: Path, tmp_path: Path, **more: Any) -> Listing:
    return list_check_set(config(kind, folder, **more), tmp_path / "unpacked")


def unit_rows(n: int, dim: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="session")
def bundled() -> Embedder:
    return load_embedder(EmbedderConfig(spec="bundled:minilm-conse", precision="fp32"), "cpu")


@pytest.fixture(scope="session")
def open_clip_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Embedder, Path]:
    """A small open_clip model of random weights in a local folder, and its embedder."""
    import open_clip
    from safetensors.torch import save_file

    shape = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = open_clip.CLIP(**shape)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": shape, "preprocess_cfg": preprocess}))
    settings_ = EmbedderConfig(spec=f"openclip:local-dir:{folder}", precision="fp32")
    return model.eval(), load_embedder(settings_, "cpu"), folder
