"""A predictor's folder: safetensors and, written last, a manifest. Nothing is ever unpickled."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from nounflow.errors import DamagedFileError
from nounflow.files import atomic_file, sha256_file
from nounflow.schemas.documents import PredictorManifest, read_document, write_document

WEIGHTS = "weights.safetensors"
IMAGE_SHIFT = "image_shift"  # beside the weights: subtracted from images before they are named


def write_predictor(manifest_path: Path, tensors: Mapping[str, torch.Tensor], **fields: Any) -> PredictorManifest:
    """Write weights, then the manifest; `fields` are those of PredictorManifest not derived from the weights."""
    manifest_path = Path(manifest_path)
    manifest_path.unlink(missing_ok=True)
    weights = manifest_path.parent / WEIGHTS
    with atomic_file(weights) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    manifest = PredictorManifest(
        weights_sha256=sha256_file(weights),
        parameters=sum(tensor.numel() for name, tensor in tensors.items() if name != IMAGE_SHIFT),
        versions={
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in ("nounflow", "torch", "numpy")},
        },
        **fields,
    )
    write_document(manifest_path, manifest)
    return manifest


def with_image_shift(weights: Mapping[str, torch.Tensor], shift: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Weights, and the mean shift [dim] that images are to be freed of, where there is one."""
    return dict(weights) if shift is None else {**weights, IMAGE_SHIFT: shift}


def read_predictor(manifest_path: Path) -> tuple[PredictorManifest, dict[str, torch.Tensor]]:
    """Read and check a predictor's manifest and weights.

    Raises:
        DamagedFileError: the weights are missing or not those that the manifest describes.
    """
    manifest_path = Path(manifest_path)
    manifest = read_document(PredictorManifest, manifest_path, "predictor manifest")
    weights = manifest_path.parent / WEIGHTS
    if not weights.is_file() or sha256_file(weights) != manifest.weights_sha256:
        raise DamagedFileError(
            "A predictor's weights are missing or not those that its manifest describes",
            where=weights,
            fix=f"delete {manifest_path} and run again",
        )
    try:
        return manifest, load_file(weights)
    except SafetensorError as error:
        raise DamagedFileError(f"The weights cannot be read ({error})", where=weights) from error
