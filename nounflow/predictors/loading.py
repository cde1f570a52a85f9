"""Any predictor from its folder."""

from __future__ import annotations

from pathlib import Path

import torch

from nounflow.config.decoder import GenerationConfig
from nounflow.errors import NounflowError
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.predictors.head import HeadPredictor
from nounflow.predictors.protocol import Predictor
from nounflow.predictors.retrieval import RetrievalPredictor
from nounflow.predictors.shifted import ShiftedPredictor
from nounflow.schemas.documents import PredictorManifest
from nounflow.store.weights import IMAGE_SHIFT, read_predictor


def load_predictor(manifest_path: Path, device: str, generation: GenerationConfig | None = None) -> Predictor:
    """Load any predictor from its folder's manifest.

    Args:
        generation: how a decoder is read; the default settings if None. Head and retrieval have no use for it.
    """
    manifest, tensors = read_predictor(manifest_path)
    shift = tensors.pop(IMAGE_SHIFT, None)
    predictor = _bare_predictor(manifest, tensors, manifest_path, device, generation or GenerationConfig())
    return predictor if shift is None else ShiftedPredictor(predictor, shift.numpy())


def _bare_predictor(
    manifest: PredictorManifest,
    tensors: dict[str, torch.Tensor],
    manifest_path: Path,
    device: str,
    generation: GenerationConfig,
) -> Predictor:
    if manifest.predictor == "decoder":
        return DecoderPredictor(manifest, tensors, device, generation)
    if manifest.predictor == "head":
        return HeadPredictor(manifest, tensors, device)
    if manifest.predictor == "retrieval":
        return RetrievalPredictor(manifest, tensors, device)
    raise NounflowError(
        f"Unknown predictor '{manifest.predictor}', known: decoder, head, retrieval", where=manifest_path
    )
