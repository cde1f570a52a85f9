"""What the script that makes a predictor is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.runs.run import Run

RunKind = TypeVar("RunKind", bound=Run)


@dataclass(frozen=True)
class TrainingArguments(Generic[RunKind]):
    """The options of train_model.py; a kind of predictor takes those that it has a use for."""

    run: str  # its name
    settings: RunKind
    training_set: Path
    nouns: Path
    captions: list[Path]  # where templates are held out
    gap: list[Path]  # where the noise is matched to images
    parts: list[Path]  # manifests of the runs that are combined
    embedder: EmbedderConfig  # whose tokenizer spells the nouns
    device: str  # settled, and the process prepared for it
    restart: bool
    out: Path  # the predictor's manifest
    code: str  # fingerprint of what trains
