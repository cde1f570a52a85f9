"""The command line that the scripts which train a predictor share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from nounflow.commandline import at_least_one, json_settings, stage_parser
from nounflow.config.decoder import DecoderTrainingSettings, HeadTrainingSettings

Kind = TypeVar("Kind", bound=DecoderTrainingSettings | HeadTrainingSettings)


@dataclass(frozen=True)
class TrainingArguments(Generic[Kind]):
    """What a training script is told; the options of `training_parser`."""

    run: str
    training_set: Path
    nouns: Path
    captions: list[Path]
    gap: list[Path]
    settings: Kind
    device: str
    threads: int
    restart: bool
    out: Path


def training_parser(doc: str | None, settings: type[Kind]) -> argparse.ArgumentParser:
    """A parser of `TrainingArguments`; its help is the script's docstring."""
    parser = stage_parser(doc)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--training-set", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--captions", type=Path, nargs="*", default=[], help="needed where templates are held out")
    parser.add_argument("--gap", type=Path, nargs="*", default=[], help="needed where the noise is matched to images")
    parser.add_argument("--settings", type=json_settings(settings), required=True, help="as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--restart", action="store_true", help="begin anew where a checkpoint stands")
    parser.add_argument("--out", type=Path, required=True, help="the predictor's manifest")
    return parser
