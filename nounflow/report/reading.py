"""What the report reads beside the scores: what training left, and the counts of all stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import BaseModel, Field

from nounflow.predictor_kinds import writes_tokens
from nounflow.predictors.calibrating import read_calibration
from nounflow.schemas.documents import read_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.schemas.models import Angles, PredictorManifest
from nounflow.schemas.tables import METRICS, read_table


class FlowRecord(BaseModel):
    """One flow of a `*.counts.json`, as `nounflow.counts` writes it."""

    name: str
    n_in: int = Field(alias="in")
    unit: str
    dropped: dict[str, int]
    added: dict[str, int]
    n_out: int = Field(alias="out")
    unit_out: str


class CountsRecord(BaseModel):
    """A `*.counts.json`."""

    stage: str
    flows: tuple[FlowRecord, ...]


@dataclass(frozen=True)
class TrainingProgress:
    """What training left beside a run's manifest; None where the run has none."""

    metrics: pl.DataFrame | None  # METRICS
    angles: Angles | None
    writes_tokens: bool = True  # else its outputs are whole nouns
    fitted: AnswerCalibration | None = None  # of its weights' probabilities, to captions


def read_progress(manifests: Sequence[Path]) -> dict[str, TrainingProgress]:
    """By run."""
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
