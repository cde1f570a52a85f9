"""Answers as a predictions file."""

from pathlib import Path

import numpy as np

from nounflow.config.generation import GenerationConfig
from nounflow.predictor_kinds import PREDICTORS
from nounflow.predictors.protocol import Answers
from nounflow.schemas.embeddings import ShardManifest
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import DecodingPredictions, Predictions

_IN_GUIDE, _NEITHER = 1, 3  # result codes of the published layout; 0 needs labels, 2 a vocabulary beyond the guide


def predictions_document(
    manifest: PredictorManifest,
    manifest_path: Path,
    answers: Answers,
    images: ShardManifest,
    milliseconds: float,
    image_set: str,
    generation: GenerationConfig,
) -> Predictions:
    """The published layout, with probabilities, unreadable files and the time an image took."""
    kind = PREDICTORS[manifest.predictor]
    name = generation.name if kind.writes_tokens else manifest.predictor
    valid = answers.nouns >= 0
    first_k_valid = np.logical_and.accumulate(valid, axis=1)
    percent = tuple(float(share) for share in 100 * first_k_valid.mean(axis=0)) if images.files else ()
    decoding = DecodingPredictions(
        gen_cfg=generation.model_dump(mode="json") if kind.writes_tokens else {"method": name},
        valid_guide=percent,
        valid_vocab=percent,
        valid=percent,
        invalid=tuple(100 - share for share in percent),
        pred=tuple(tuple(row) for row in answers.texts),
        score=_rows(answers.scores),
        probability=_rows(answers.probabilities),
        result=tuple(tuple(_IN_GUIDE if ok else _NEITHER for ok in row) for row in valid.tolist()),
    )
    targets = tuple(sorted(manifest.nouns))
    return Predictions(
        model=f"{manifest.run}/{kind.weights}",
        model_path=manifest_path.parent.as_posix(),
        model_dir=manifest_path.parent.name,
        model_name=kind.weights,
        model_cfg=manifest.settings,
        infer_cfg={"image_set": image_set, "embedder": manifest.embedder.spec},
        guide_targets=targets,
        vocab_targets=targets,
        samples=images.files,
        predictions={name: decoding},
        images=images.texts,
        unreadable=images.unreadable,
        milliseconds=milliseconds,
        run=manifest.run,
        predictor=manifest.predictor,
        image_set=image_set,
    )


def _rows(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Six decimals are plenty and keep the file small; -inf, which JSON lacks, becomes a large negative number."""
    finite = np.nan_to_num(values.astype(np.float64), neginf=-1e9)
    return tuple(tuple(round(value, 6) for value in row) for row in finite.tolist())
