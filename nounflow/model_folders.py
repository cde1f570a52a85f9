"""A trained model as a folder of its own, to give away: weights, manifest, decoding settings and a model card."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nounflow.atomic import atomic_folder
from nounflow.errors import NounflowError
from nounflow.files import sha256_file, write_text
from nounflow.namings import find_hypernyms
from nounflow.onnx.opening import EXPORTED, is_exported
from nounflow.predictor_kinds import GENERATION, PREDICTORS, RULE
from nounflow.predictors.broader import HYPERNYMS
from nounflow.predictors.calibrating import CALIBRATION, CAPTION_CALIBRATION
from nounflow.schemas.documents import read_document, write_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.schemas.models import FusedRule, PredictorManifest
from nounflow.schemas.onnx import OnnxManifest

MANIFEST = "manifest.json"
_CALIBRATIONS = (CALIBRATION, CAPTION_CALIBRATION)
HOME = "NOUNFLOW_MODELS"  # folder of models that are meant by their names alone
DEFAULT = Path("results/models/small")


def find_model(model: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The manifest of a model: a folder, the manifest in one, a run's name, or a hub id ORG/NAME.

    A name is looked for below results/models here, then below $NOUNFLOW_MODELS, else ~/.local/share/nounflow/models.

    Raises:
        NounflowError: there is none; it says where it was looked for and which models there are.
    """
    path = Path(model)
    home = Path(os.environ.get(HOME) or Path.home() / ".local/share/nounflow/models")
    for place in (path, DEFAULT.parent / path, home / path):
        manifest = place if place.suffix == ".json" else place / MANIFEST
        if manifest.is_file():
            if revision is not None:
                raise NounflowError(
                    f"A revision is of a model on the hub ({revision!r}); this one lies here", where=manifest,
                    fix="leave the revision out, or name the model as ORG/NAME from another folder",
                )  # fmt: skip
            return manifest
    text = os.fspath(model)
    if text.count("/") == 1 and not text.startswith((".", "/", "~")) and not path.parent.is_dir():
        return _fetched(text, revision) / MANIFEST
    folder = path.parent.parent if path.suffix == ".json" else path.parent
    there = sorted(
        {str(found.parent) for place in (folder, DEFAULT.parent, home) for found in place.glob(f"[!.]*/{MANIFEST}")}
    )
    raise NounflowError(
        "There is no trained run here" + (f"; there are: {', '.join(there)}" if there else ""),
        where=path,
        fix="name one of these" if there else "train it first (`make scores`, or `snakemake --cores all`)",
    )


def save_model(manifest_path: Path, folder: Path) -> None:
    """Write a model's folder, whole or not at all; the parts of a fused one come along.

    Raises:
        NounflowError: `folder` holds something, or the model is damaged.
    """
    with new_folder(folder) as temporary:
        write_text(temporary / "README.md", model_card(copy_model(manifest_path, temporary)))


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Where the files of `folder` are written, which becomes `folder` when all are.

    Raises:
        NounflowError: `folder` holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "The folder is not empty" if folder.is_dir() else "This is no folder"
        raise NounflowError(what, where=folder, fix="name another folder")
    if folder.exists():
        folder.rmdir()
    with atomic_folder(folder) as temporary:
        yield temporary


def copy_model(manifest_path: Path, folder: Path) -> PredictorManifest:
    """Copy a model's files, with what tells its synonyms, where that is known."""
    source = manifest_path.parent
    if is_exported(manifest_path):
        graphs = read_document(OnnxManifest, source / EXPORTED, "manifest of an exported model").files
        _copy_files(source, folder, {*graphs, EXPORTED, GENERATION, HYPERNYMS, *_CALIBRATIONS})
        return read_document(PredictorManifest, folder / MANIFEST, "predictor manifest")
    manifest = _copy(manifest_path, folder)
    if hypernyms := find_hypernyms(manifest_path, manifest):
        write_document(folder / HYPERNYMS, hypernyms)
    return manifest


def push_model(manifest_path: Path, repo_id: str, **options: Any) -> str:
    """Upload what `save_model` writes to a hub; returns its address there.

    The token is that of `huggingface_hub`'s own login.

    Args:
        options: of `huggingface_hub.HfApi.create_repo`, such as `private`.

    Raises:
        NounflowError: the hub did not take it.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        api = HfApi()
        api.create_repo(repo_id, exist_ok=True, **options)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            save_model(manifest_path, folder)
            return str(api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="nounflow model"))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise NounflowError(
            f"The hub did not take the model ({_first_line(error)})",
            where=repo_id,
            fix="log in (`hf auth login`, or HF_TOKEN), and check the name and the connection",
        ) from error


def model_card(manifest: PredictorManifest) -> str:
    """The README of a model's folder: what it is, what it was made with, how it is used."""
    embedder = manifest.embedder
    rows = {
        "kind": manifest.predictor,
        "nouns": f"{len(manifest.nouns):,}",
        "embedder": f"`{embedder.spec}` ({embedder.dim} dimensions)",
        "parameters": f"{manifest.parameters:,}",
        "samples seen in training": f"{manifest.samples:,}" if manifest.samples else "none, or not known",
    }
    rows |= {f"held-out {name}": f"{value:.4g}" for name, value in sorted(manifest.metrics.items())}
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
library_name: nounflow
pipeline_tag: image-classification
tags: [open-vocabulary, nounflow]
---

# {manifest.run}

Names what is in a photograph, without a list of classes. Trained on words alone, with
nounflow {manifest.versions.get("nounflow", "")}. Images are read by a frozen embedder, which is not in this folder.

| | |
|---|---|
{table}

Held-out figures are of texts that training did not see, not of photographs.

```python
from nounflow import NounClassifier

classifier = NounClassifier.load("this folder, or its name on the hub")
print(classifier("cat.jpg").nouns)
```
"""


def _copy_files(source: Path, folder: Path, names: Iterable[str]) -> None:
    """Those of the files that there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _copy(manifest_path: Path, folder: Path) -> PredictorManifest:
    """A model's files; a fused model's parts go into folders of their own, and its rule names them there."""
    from nounflow.store.weights import read_predictor_manifest  # needs PyTorch, which naming by ONNX does without

    manifest = read_predictor_manifest(manifest_path)
    source = manifest_path.parent
    weights = PREDICTORS[manifest.predictor].weights
    _copy_files(source, folder, {weights, GENERATION, *_CALIBRATIONS, MANIFEST} - {RULE})
    if weights == RULE:
        rule = read_document(FusedRule, source / RULE, "rule of a fused predictor")
        for part in rule.parts:
            _copy(source / part.path, folder / "parts" / part.run)
        moved = tuple(part.model_copy(update={"path": f"parts/{part.run}/{MANIFEST}"}) for part in rule.parts)
        write_document(folder / RULE, rule.model_copy(update={"parts": moved}))
        moved_rule = {"weights_sha256": sha256_file(folder / RULE)}
        write_document(folder / MANIFEST, manifest.model_copy(update=moved_rule))
        for path in (folder / name for name in _CALIBRATIONS):
            if path.is_file():
                fitted = read_document(AnswerCalibration, path, "calibration of a model")
                write_document(path, fitted.model_copy(update=moved_rule))
    return manifest


def _fetched(repo_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        kinds = ["*.json", "*.safetensors", "*.onnx*", "*.md"]
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=kinds))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise NounflowError(
            f"There is no such folder, and the hub does not give a model of this name ({_first_line(error)})",
            where=repo_id,
            fix="check the path, or the hub's name and the connection",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
