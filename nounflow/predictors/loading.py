"""Any predictor from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from nounflow.config.decoder import GenerationConfig
from nounflow.errors import NounflowError
from nounflow.predictors.decoder import DecoderPredictor
from nounflow.predictors.fused import FusedPredictor, check_fitted, check_origin
from nounflow.predictors.head import HeadPredictor
from nounflow.predictors.protocol import Predictor
from nounflow.predictors.retrieval import RetrievalPredictor
from nounflow.predictors.shifted import ShiftedPredictor
from nounflow.schemas.documents import FusedRule, PredictorManifest, read_document
from nounflow.store.weights import IMAGE_SHIFT, RULE, read_predictor, read_predictor_manifest


def load_predictor(manifest_path: Path, device: str, generation: GenerationConfig | None = None) -> Predictor:
    """Load any predictor from its folder's manifest.

    Args:
        generation: how a decoder is read; the default settings if None. The others have no use for it.
    """
    if (manifest := read_predictor_manifest(manifest_path)).predictor == "fused":
        return _load_fused(manifest, Path(manifest_path), device)
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
        f"Unknown predictor '{manifest.predictor}', known: decoder, head, retrieval, fused", where=manifest_path
    )


def load_parts(paths: Sequence[Path], device: str, candidates: int) -> list[Predictor]:
    """The parts of a fused predictor, from their manifests; a decoder's beam is as wide as it puts nouns forward.

    Raises:
        MismatchError: they do not go together.
        NounflowError: one of them is fused itself, or moves texts or images.
    """
    parts = [load_predictor(path, device, GenerationConfig(beam_width=candidates)) for path in paths]
    for part, path in zip(parts, paths, strict=True):
        check_origin(part.manifest, parts[0].manifest, path, paths[0])
        if part.manifest.predictor == "fused":
            raise NounflowError("A fused predictor cannot be part of another", where=path, fix="name its own parts")
        if part.manifest.settings.get("noise", {}).get("shift", "none") != "none":
            raise NounflowError(
                "A run that moves texts or images (`noise.shift`) cannot be part of a fused one, "
                "whose rule is fitted to texts as they are",
                where=path,
                fix="take it out of `fused.parts`",
            )
    return parts


def _load_fused(manifest: PredictorManifest, path: Path, device: str) -> FusedPredictor:
    rule = read_document(FusedRule, path.parent / RULE, "rule of a fused predictor")
    parts = load_parts([path.parent / part.path for part in rule.parts], device, rule.candidates)
    check_fitted(rule, [part.manifest for part in parts], path.parent / RULE)
    return FusedPredictor(manifest, rule, parts)
