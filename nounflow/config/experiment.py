"""The experiment, typed: `config/config.yaml` is checked against these models, which also write its JSON schema."""

import functools
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
from pydantic import BeforeValidator, Field, field_validator, model_validator

from nounflow.annotator_kinds import ANNOTATORS
from nounflow.config.annotators import (
    AnnotatorConfig,
    OpenAIAnnotatorConfig,
    PeopleAnnotatorConfig,
    WordNetAnnotatorConfig,
)
from nounflow.config.base import OPERATIONAL, HomePath, OneOf, Settings, merged
from nounflow.config.captions import CaptionsConfig
from nounflow.config.check_set import CheckSetConfig
from nounflow.config.classification import ClassificationConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.inputs import IMAGE_SOURCES
from nounflow.config.lexicon import LexiconConfig
from nounflow.config.mistakes import explain
from nounflow.config.mixture import MixtureConfig
from nounflow.config.open_set import OpenSetConfig
from nounflow.config.regions import RegionsConfig
from nounflow.config.runs.run import Run, decoder_unless_said, one_of
from nounflow.config.tags import ScenesConfig, TagsConfig
from nounflow.config.threads import Threads
from nounflow.config.yaml_files import read_keys
from nounflow.errors import NounflowError
from nounflow.predictor_kinds import PREDICTORS
from nounflow.registry import resolve

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]  # names become folders and wildcards


if TYPE_CHECKING:
    RunConfig = Run
else:
    _runs = functools.reduce(operator.or_, (resolve(kind.settings) for kind in PREDICTORS.values()))
    RunConfig = Annotated[Annotated[_runs, Field(discriminator="predictor")], BeforeValidator(decoder_unless_said)]


class ImageSetConfig(Settings):
    """Pictures to name: a folder of yours, or a source that nounflow fetches."""

    folder: HomePath | None = Field(None, description="a folder of images (searched with its sub-folders)")
    source: Annotated[str, OneOf(IMAGE_SOURCES)] | None = Field(None, description="a set to fetch")
    labels: HomePath | None = Field(None, description="TSV with columns file, gold[, sense, accepted, secondary]")
    only_labelled: bool = Field(False, description="take only the files that `labels` lists")
    captions: Literal["txt"] | None = Field(
        None, description="txt: each image's caption is the first line of a file beside it that ends in .txt"
    )

    @model_validator(mode="after")
    def _one_source(self) -> "ImageSetConfig":
        if (self.folder is None) == (self.source is None):
            raise ValueError("give either `folder` or `source`")
        if self.only_labelled and self.labels is None:
            raise ValueError("`only_labelled` needs a `labels` file")
        return self


FurtherMeasure = Literal[
    "hierarchical_precision",
    "hierarchical_recall",
    "text_inclusion",
    "judge_inclusion",
    "sentence_similarity",
    "concept_similarity",
    "cluster_accuracy",
    "top3_score",
    "top5_score",
    "synonym_score",
    "calibration_error",
    "risk_coverage_area",
    "effective_nouns",
    "top_noun_share",
]


class ScoringConfig(Settings):
    """What the overall score takes for specific, and what stands beside the runs in the report."""

    coarse_from: int = Field(
        30, ge=1, description="a noun of which WordNet has so many kinds or more is coarse: half its points count"
    )
    specificity: HomePath | None = Field(
        None, description='flat JSON {"noun": factor from 0 to 1} that overrules `coarse_from`'
    )
    measures: tuple[FurtherMeasure, ...] = Field(
        (), description="shown in the report beside the usual ones; the two similarities are computed only if named"
    )
    published: bool = Field(True, description="show the published scores of NOVIC, RAM and Tag2Text in the report")


class Config(Settings):
    """The whole of `config/config.yaml`."""

    threads: Threads = Field(
        "auto",
        validate_default=True,
        description="CPU threads of the heavy stages; weights may differ between counts; auto: physical cores of the "
        "machine that starts the workflow, at most 8",
    )
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], OPERATIONAL] = Field(
        "auto", description="auto: a GPU if there is one"
    )
    lexicons: dict[Name, LexiconConfig] = Field(min_length=1, description="which nouns")
    captions: CaptionsConfig = CaptionsConfig()
    embedders: dict[Name, EmbedderConfig] = Field(min_length=1, description="which embedding space")
    mixtures: dict[Name, MixtureConfig] = Field(min_length=1, description="what the samples are drawn from")
    runs: dict[Name, RunConfig] = Field(min_length=1, description="what is trained and scored")
    image_sets: dict[Name, ImageSetConfig] = Field(min_length=1, description="what is named")
    annotators: dict[Name, AnnotatorConfig] = Field(
        {"wordnet": WordNetAnnotatorConfig(kind="wordnet")},
        min_length=1,
        description="who judges; a list of kinds is enough where defaults do",
    )
    check_sets: dict[Name, CheckSetConfig] = Field(
        default_factory=dict, description="on what embedders are checked; no part of the main job"
    )
    classification: ClassificationConfig = ClassificationConfig()
    scoring: ScoringConfig = ScoringConfig()
    open_set: OpenSetConfig = OpenSetConfig()
    regions: RegionsConfig = RegionsConfig()
    scenes: ScenesConfig = ScenesConfig()
    tags: TagsConfig = TagsConfig()
    gallery: int = Field(60, ge=0, description="most pictures in the report's gallery")

    @field_validator("annotators", mode="before")
    @classmethod
    def _kinds(cls, annotators: Any) -> Any:
        if not isinstance(annotators, list | tuple):
            return annotators
        if len(set(map(str, annotators))) < len(annotators):
            raise ValueError("one is named twice")
        return {str(kind): {"kind": kind} for kind in annotators}

    @model_validator(mode="after")
    def _references(self) -> "Config":
        for section in ("lexicons", "embedders", "mixtures", "runs", "image_sets", "annotators"):
            _told_apart(section, getattr(self, section))
        for run_name, run in self.runs.items():
            one_of(f"runs.{run_name}.embedder", run.embedder, self.embedders)
            try:
                self.runs[run_name] = run.settled(self.embedders[run.embedder].spec)
            except ValueError as error:
                raise ValueError(f"runs.{run_name}.noise: {error}") from None
        for run_name, run in self.runs.items():
            run.check(f"runs.{run_name}", self)
        for mixture_name, mixture in self.mixtures.items():
            for source in mixture.weights:
                if source not in self.captions.sources:
                    raise ValueError(
                        f"mixtures.{mixture_name}: source {source} has no texts; "
                        f"`captions` declares {', '.join(self.captions.sources)}"
                    )
            if mixture.llm and self.captions.llm.server is None:
                raise ValueError(
                    f"mixtures.{mixture_name}.llm: captions.llm.server names no model; docs/captions.md shows how"
                )
        for name, annotator in self.annotators.items():
            kind = annotator.kind
            if ANNOTATORS[kind].judge and name != kind:
                raise ValueError(f"annotators.{name}: the kind {kind} has no settings and is always named {kind}")
            if isinstance(annotator, OpenAIAnnotatorConfig) and annotator.people != "people":
                people = [other for other, part in self.annotators.items() if isinstance(part, PeopleAnnotatorConfig)]
                one_of(
                    f"annotators.{name}.people", annotator.people, people, "" if people else " of that kind is declared"
                )
        self.__dict__["open_set"] = self.open_set.settled(self)  # the model is frozen for all others
        self.tags.check(self)
        self.regions.check(self)
        for name, check_set in self.check_sets.items():
            if name in self.image_sets:
                raise ValueError(f"check_sets.{name}: an image set has this name too, and their results share a folder")
            _told_apart("check_sets", [*self.image_sets, *self.check_sets])
            for embedder in check_set.expected:
                one_of(f"check_sets.{name}.expected", embedder, self.embedders)
        for name in self.classification.sets:
            one_of("classification.sets", name, self.check_sets)
        for name in self.classification.runs:
            one_of("classification.runs", name, self.runs)
        return self


def _told_apart(section: str, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise ValueError(f"{section}: {other} and {name} would share a folder where case does not count")


def load_config(values: Mapping[str, Any]) -> Config:
    """Check a parsed config. One line for each mistake: the key, what was found, what is allowed.

    A named part set to null is taken out, so that a second config file can remove a run.

    Raises:
        NounflowError: with all mistakes at once.
    """
    for key, part in values.items():
        if isinstance(part, Mapping):
            values = {**values, key: {name: value for name, value in part.items() if value is not None}}
    try:
        return Config.model_validate(values)
    except pydantic.ValidationError as error:
        raise NounflowError(
            "The config is not valid:\n    " + "\n    ".join(explain(error.errors(), Config)),
            where="config/config.yaml and any --configfile",
            fix="mend these keys; config/README.md lists all of them",
        ) from None


def read_config(paths: Sequence[Path]) -> Config:
    """Read and check config files, each laid over those before it, as Snakemake does.

    Raises:
        NounflowError: a file is missing or no YAML, or the config is not valid.
    """
    return load_config(functools.reduce(merged, map(read_keys, paths), {}))


def json_schema() -> str:
    """The JSON schema of the config, for editors; `config/schema.json` is this text."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"
