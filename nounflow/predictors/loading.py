"""Any predictor from its folder."""

from __future__ import annotations

from pathlib import Path

from nounflow.config.decoder import GenerationConfig
from nounflow.errors import NounflowError
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.predictors.head import HeadPredictor
from nounflow.predictors.protocol import Predictor
from nounflow.predictors.retrieval import RetrievalPredictor
from nounflow.store.weights import read_predictor


def load_predictor(manifest_path: Path, device: str, generation: GenerationConfig | None = None) -> Predictor:
    """Load any predictor from its folder's manifest.

    Args:
        generation: how a decoder is read; the default settings if None. Head and retrieval have no use for it.
    """
    manifest, tensors = read_predictor(manifest_path)
    if manifest.predictor == "decoder":
        return DecoderPredictor(manifest, tensors, device, generation or GenerationConfig())
    if manifest.predictor == "head":
        return HeadPredictor(manifest, tensors, device)
    if manifest.predictor == "retrieval":
        return RetrievalPredictor(manifest, tensors, device)
    raise NounflowError(
        f"Unknown predictor '{manifest.predictor}', known: decoder, head, retrieval", where=manifest_path
    )
