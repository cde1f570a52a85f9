"""A predictor's folder: safetensors (fused: a rule) and, written last, a manifest. Nothing is ever unpickled."""

import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from nounflow.atomic import atomic_file
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.files import check_sha256, sha256_file
from nounflow.predictor_kinds import PREDICTORS, RULE, WEIGHTS
from nounflow.schemas.documents import Document, read_document, write_document
from nounflow.schemas.models import FusedRule, PredictorManifest
from nounflow.schemas.tables import lexicon_digest
from nounflow.version import nounflow_version

IMAGE_SHIFT = "image_shift"  # beside the weights: subtracted from images before they are named
MEMORY = "memory"  # beside the weights: texts onto which images are projected then
BANK = "bank"  # beside the weights: a decoder's nouns
_NO_PARAMETERS = (IMAGE_SHIFT, MEMORY, BANK)


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors of any shape by their names, atomically."""
    with atomic_file(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by their names.

    Raises:
        DamagedFileError: it is no file of tensors.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise DamagedFileError(f"The weights cannot be read ({error})", where=path) from error


def save_beside(path: Path, tensors: Mapping[str, torch.Tensor], manifest_of: Callable[[str], Document]) -> Document:
    """Write tensors beside a manifest, then the manifest at `path`, which is made of their digest."""
    path.unlink(missing_ok=True)
    weights = path.with_suffix(".safetensors")
    save_tensors(weights, tensors)
    manifest = manifest_of(sha256_file(weights))
    write_document(path, manifest)
    return manifest


def load_beside(model: type[Document], path: Path, what: str) -> tuple[Document, dict[str, torch.Tensor]]:
    """Read a manifest and the tensors beside it; `what` names it in messages.

    Raises:
        DamagedFileError: they are missing or not those that the manifest describes.
    """
    manifest, weights = read_document(model, path, what), path.with_suffix(".safetensors")
    wrong = f"The weights of the {what} are missing or not those that its manifest describes"
    sha256: str = manifest.weights_sha256  # type: ignore[attr-defined]  # whatever `save_beside` wrote has it
    check_sha256(weights, sha256, wrong, f"delete {path} and run again")
    return manifest, load_tensors(weights)


def write_predictor(manifest_path: Path, tensors: Mapping[str, torch.Tensor], **fields: Any) -> PredictorManifest:
    """Write weights, then the manifest; `fields` are those of PredictorManifest not derived from the weights."""
    manifest_path.unlink(missing_ok=True)
    weights = manifest_path.parent / WEIGHTS
    save_tensors(weights, tensors)
    return _write_manifest(
        manifest_path,
        weights,
        parameters=sum(tensor.numel() for name, tensor in tensors.items() if name not in _NO_PARAMETERS),
        **fields,
    )


def write_fused(manifest_path: Path, rule: FusedRule, **fields: Any) -> PredictorManifest:
    """Write a fused predictor's rule, then the manifest; `fields` as for `write_predictor`."""
    manifest_path.unlink(missing_ok=True)
    path = manifest_path.parent / RULE
    write_document(path, rule)
    return _write_manifest(manifest_path, path, parameters=len(rule.parts) + 1, **fields)


def _write_manifest(manifest_path: Path, weights: Path, **fields: Any) -> PredictorManifest:
    manifest = PredictorManifest(
        weights_sha256=sha256_file(weights),
        versions={
            "python": platform.python_version(),
            "nounflow": nounflow_version(),
            **{package: metadata.version(package) for package in ("torch", "numpy")},
        },
        **fields,
    )
    write_document(manifest_path, manifest)
    return manifest


def with_image_shift(weights: Mapping[str, torch.Tensor], shift: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Weights, and the mean shift [dim] that images are to be freed of, where there is one."""
    return dict(weights) if shift is None else {**weights, IMAGE_SHIFT: shift}


def read_predictor_manifest(manifest_path: Path) -> PredictorManifest:
    """Read a predictor's manifest, and check the weights or the rule beside it.

    Raises:
        DamagedFileError: they are missing or not those that the manifest describes.
    """
    manifest = read_document(PredictorManifest, manifest_path, "predictor manifest")
    if manifest.predictor not in PREDICTORS:
        raise NounflowError(
            f"Unknown predictor '{manifest.predictor}', known: {', '.join(PREDICTORS)}", where=manifest_path
        )
    if lexicon_digest(manifest.nouns) != manifest.lexicon:
        raise DamagedFileError(
            "A predictor's nouns are not those of its lexicon: the manifest was changed",
            where=manifest_path,
            fix=f"delete {manifest_path} and run again",
        )
    check_sha256(
        weights_file(manifest_path, manifest),
        manifest.weights_sha256,
        "A predictor's weights are missing or not those that its manifest describes",
        f"delete {manifest_path} and run again",
    )
    return manifest


def weights_file(manifest_path: Path, manifest: PredictorManifest) -> Path:
    """Where the weights or the rule of a predictor lie."""
    return Path(manifest_path).parent / PREDICTORS[manifest.predictor].weights


def read_predictor(manifest_path: Path) -> tuple[PredictorManifest, dict[str, torch.Tensor]]:
    """Read and check a predictor's manifest and weights; of a rule there are no tensors.

    Raises:
        DamagedFileError: the weights are missing or not those that the manifest describes.
    """
    manifest = read_predictor_manifest(manifest_path)
    weights = manifest_path.parent / WEIGHTS
    tensors = load_tensors(weights) if PREDICTORS[manifest.predictor].weights == WEIGHTS else {}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise DamagedFileError(
                f"The weights {name} hold values that are not finite", where=weights, fix="train the run again"
            )
    return manifest, tensors
