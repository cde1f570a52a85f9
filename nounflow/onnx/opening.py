"""An exported model opened with onnxruntime. Nothing here imports PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from nounflow.config.generation import GenerationConfig
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.extras import need
from nounflow.files import check_sha256
from nounflow.onnx.predictors import OnnxDecoder, OnnxHead
from nounflow.predictor_kinds import GENERATION, writes_tokens
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.onnx import ImagePreparation, OnnxManifest

if TYPE_CHECKING:
    from nounflow.embedders.protocol import Patches

EXPORTED = "onnx.json"  # beside the model's manifest
TOWER, DECODER, HEAD = "image_tower.onnx", "decoder.onnx", "head.onnx"


class OnnxTower:
    """An exported image tower in the place of an `Embedder`."""

    device = "cpu"
    patches: Patches | None = None

    def __init__(self, session: Any, how: ImagePreparation, identity: EmbedderIdentity) -> None:
        self._session, self._how, self.identity, self.dim = session, how, identity, identity.dim

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """See `Embedder.preprocess`: uint8 [height, width, 3]."""
        return prepared(image, self._how)

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_images`."""
        found: np.ndarray = self._session.run(None, {"pixels": np.stack(images)})[0]
        return found

    def encode_texts(self, _texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """
        Raises:
            NounflowError: always.
        """
        raise NounflowError(
            "An exported model has no text tower", where=self.identity.spec, fix="name the run that it was made of"
        )


def prepared(image: Image.Image, how: ImagePreparation) -> np.ndarray:
    """An upright RGB image as an exported image tower takes it, uint8 [height, width, 3]."""
    resample = Image.Resampling[how.interpolation.upper()]
    if how.resize == "pad":
        side = max(image.size)
        square = Image.new("RGB", (side, side), (255, 255, 255))
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        image = square
    if how.resize != "shortest":
        return np.asarray(image.resize((how.width, how.height), resample))
    short = min(image.size)
    wide, high = (int(how.height * side / short) for side in image.size)  # the shorter one becomes how.height
    left, top = ((found - wanted) / 2 for found, wanted in ((wide, how.width), (high, how.height)))
    left, top = (round(left), round(top)) if how.crop_rounds else (int(left), int(top))
    return np.asarray(image.resize((wide, high), resample).crop((left, top, left + how.width, top + how.height)))


def is_exported(manifest_path: Path) -> bool:
    """Whether a model's manifest lies in a folder that `nounflow onnx export` wrote."""
    return (manifest_path.parent / EXPORTED).is_file()


def open_exported(manifest_path: Path, threads: int, generation: GenerationConfig | None) -> tuple[Any, Any]:
    """Predictor (`OnnxHead`) and image tower (`OnnxTower`) of a folder that `nounflow onnx export` wrote.

    Args:
        manifest_path: the model's manifest there.
        generation: how a decoder is read; None: as in the folder.

    Raises:
        NounflowError: a file is missing or damaged, or onnxruntime is not installed.
    """
    need("onnxruntime")
    folder = manifest_path.parent
    exported = read_document(OnnxManifest, folder / EXPORTED, "manifest of an exported model")
    for name, digest in exported.files.items():
        check_sha256(
            folder / name,
            digest,
            "A file of an exported model is missing or not the one that its manifest describes",
            "export the model again, or copy the whole folder again",
        )
    manifest = read_document(PredictorManifest, manifest_path, "predictor manifest")
    tower = OnnxTower(session(folder / TOWER, threads), exported.images, manifest.embedder)
    if not writes_tokens(manifest.predictor):
        return OnnxHead(manifest, session(folder / HEAD, threads)), tower
    if generation is None:
        stored = folder / GENERATION
        generation = (
            read_document(GenerationConfig, stored, "generation settings") if stored.exists() else GenerationConfig()
        )
    return OnnxDecoder(manifest, session(folder / DECODER, threads), generation), tower


def session(path: Path, threads: int) -> Any:
    """An onnxruntime session on the CPU.

    Raises:
        DamagedFileError: the graph cannot be read.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each kind
        raise DamagedFileError(
            f"onnxruntime cannot read a graph ({str(error).splitlines()[0]})",
            where=path,
            fix="export the model again, with the onnxruntime that is to read it",
        ) from error
