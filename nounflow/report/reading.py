"""What the report reads of a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nounflow.predictor_kinds import writes_tokens
from nounflow.predictors.calibrating import read_calibration
from nounflow.schemas.documents import read_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.schemas.models import Angles, PredictorManifest
from nounflow.schemas.tables import METRICS, read_table


@dataclass(frozen=True)
class TrainingProgress:
    """What training left beside a run's manifest; None where the run has none."""

    metrics: pl.DataFrame | None  # METRICS
    angles: Angles | None
    writes_tokens: bool = True  # else its outputs are whole nouns
    fitted: AnswerCalibration | None = None  # of its weights' probabilities, to captions


def read_progress(manifests: Sequence[Path]) -> dict[str, TrainingProgress]:
    """Run -> what its training left, and what its probabilities were fitted to captions with."""
    progress = {}
    for path in manifests:
        manifest = read_document(PredictorManifest, path, "manifest of a run")
        metrics, angles = path.parent / "metrics.parquet", path.parent / "angles.json"
        progress[manifest.run] = TrainingProgress(
            read_table(metrics, METRICS, "metrics of a run") if metrics.exists() else None,
            read_document(Angles, angles, "angles of a run") if angles.exists() else None,
            writes_tokens(manifest.predictor),
            read_calibration(path, manifest, labelled=False),
        )
    return progress
