"""The kinds of predictors, by the name under `predictor` of a run: how each is made and opened. Light to import.

A new one is a module in `predictors/`, one in `config/runs/` for its settings, and an entry here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from nounflow.errors import NounflowError
from nounflow.registry import Registry

if TYPE_CHECKING:
    from nounflow.config.embedder import EmbedderConfig
    from nounflow.config.runs.run import Run
    from nounflow.schemas.embeddings import TrainingSetManifest
    from nounflow.schemas.models import PredictorManifest

RunKind = TypeVar("RunKind", bound="Run")

WEIGHTS, RULE = "weights.safetensors", "rule.json"
GENERATION = "generation.json"  # beside a manifest: how a decoder is read; other settings make no other model


@dataclass(frozen=True)
class TrainingArguments(Generic[RunKind]):
    """The options of train_model.py; a kind of predictor takes those that it has a use for."""

    run: str  # its name
    settings: RunKind
    training_set: Path
    nouns: Path
    captions: Sequence[Path]  # where templates are held out
    gap: Sequence[Path]  # where the noise is matched to images
    parts: Sequence[Path]  # manifests of the runs that are combined
    embedder: EmbedderConfig  # whose tokenizer spells the nouns
    device: str  # settled, and the process prepared for it
    restart: bool
    out: Path  # the predictor's manifest
    code: str  # fingerprint of what trains

    def manifest(self, origin: TrainingSetManifest | PredictorManifest) -> dict[str, Any]:
        """Fields of the predictor's manifest: what it is, and from `origin` its embedder and lexicon."""
        return {
            "run": self.run,
            "predictor": self.settings.predictor,
            "embedder": origin.embedder,
            "lexicon": origin.lexicon,
            "lexicon_path": self.nouns.as_posix(),
            "settings": self.settings.recipe(),
        }


class PredictorKind(NamedTuple):
    """What the workflow and the library need to know of a kind."""

    rule: str  # that makes it
    says: str  # what it does, for people
    settings: str  # place of the class of its runs
    train: str  # place: `function(asked)`, see `TrainingArguments`
    load: str  # place: class or function `(manifest, tensors, device, generation, path of the manifest)` -> Predictor
    weights: str = WEIGHTS  # what answers are computed from, beside the manifest
    leaves: tuple[str, ...] = ()  # further files that training leaves
    trained: bool = False  # by the training loop; its weights depend on the threads
    minutes: int = 60  # a job may take, at most
    gpu: bool = True  # making it gains by one
    writes_tokens: bool = False  # is read by beam search (`generation` of the run)
    baseline: bool = False  # others are compared with it
    combines: bool = False  # is made of other runs


PREDICTORS: Registry[PredictorKind] = {
    "decoder": PredictorKind(
        rule="train_decoder",
        says="Training the decoder",
        settings="nounflow.config.runs.decoder:DecoderRun",
        train="nounflow.predictors.decoder_training:train",
        load="nounflow.predictors.decoder:DecoderPredictor",
        leaves=("metrics.parquet", "angles.json"),
        trained=True,
        minutes=720,
        writes_tokens=True,
    ),
    "head": PredictorKind(
        rule="train_head",
        says="Training the head",
        settings="nounflow.config.runs.head:HeadRun",
        train="nounflow.predictors.head_training:train",
        load="nounflow.predictors.head:HeadPredictor",
        leaves=("metrics.parquet",),
        trained=True,
        minutes=240,
    ),
    "retrieval": PredictorKind(
        rule="index_retrieval",
        says="Indexing the nouns for",
        settings="nounflow.config.runs.retrieval:RetrievalRun",
        train="nounflow.predictors.retrieval_training:train",
        load="nounflow.predictors.retrieval:RetrievalPredictor",
        minutes=30,
        gpu=False,
        baseline=True,
    ),
    "fused": PredictorKind(
        rule="fit_fused",
        says="Fitting the rule of",
        settings="nounflow.config.runs.fused:FusedRun",
        train="nounflow.predictors.fused_training:train",
        load="nounflow.predictors.fused:load",
        weights=RULE,
        combines=True,
    ),
}


def is_baseline(predictor: str) -> bool:
    """Are others compared with this kind? False for a kind of another version, which is not known here."""
    return predictor in PREDICTORS and PREDICTORS[predictor].baseline


def writes_tokens(predictor: str) -> bool:
    """Is this kind read by beam search? False for a kind that is not known here."""
    return predictor in PREDICTORS and PREDICTORS[predictor].writes_tokens


def check_searched(predictor: str, manifest_path: Path) -> None:
    """Refuse settings of a search for a model that has none.

    Raises:
        NounflowError: it is no decoder.
    """
    if not writes_tokens(predictor):
        raise NounflowError(
            f"Only a decoder is read by a search; this model's kind is {predictor}",
            where=manifest_path,
            fix="leave --decoding (`generation`) out, or name a decoder",
        )
