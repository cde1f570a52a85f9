"""The open-set tests: what is known, what is not, and which scores are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from nounflow.config.base import HomePath, OneOf, Settings
from nounflow.config.check_set import Prompts
from nounflow.config.no_model import NoModelConfig
from nounflow.open_set_scores import SCORES

if TYPE_CHECKING:
    from nounflow.config.experiment import Config

ScoreName = Annotated[str, OneOf(SCORES)]
Distance = Literal["near", "far", "farthest"]


class NegativesConfig(Settings):
    """The negatives of `neglabel` and `negrefine`: nouns that are unlike all known ones."""

    lexicon: str | None = Field(None, description="lexicon that they are chosen from; null: that of the run")
    quantile: float = Field(
        0.95, gt=0, le=1, description="a noun is as close to the known ones as this quantile of its cosines to them"
    )
    share: float = Field(0.15, gt=0, le=1, description="share of the nouns that is kept, the least close ones")
    most: int = Field(10_000, ge=1, description="most negatives")
    groups: int = Field(100, ge=1, description="parts that they are dealt into; the score is a mean over these")


class OpenSetTestConfig(Settings):
    """Images of known nouns against images of others."""

    known: str = Field(description="labelled image set")
    unknown: dict[str, Distance] = Field(
        default_factory=dict,
        description="image sets of what is not known, each near, far or farthest; none: nouns of `known` are drawn",
    )
    classes: HomePath | None = Field(
        None, description="file with the known classes, one a line; null: the gold nouns of `known`"
    )
    draws: int = Field(5, ge=1, description="with no `unknown`: how often the known half of the nouns is drawn")
    known_share: float = Field(0.5, gt=0, lt=1, description="with no `unknown`: share of the nouns that is known")
    patterns: bool = Field(True, description="synthetic patterns as the farthest unknown images")


class GateConfig(Settings):
    """The gate of a run, results/models/RUN/gate.json: which score, and what its threshold is fitted on."""

    score: ScoreName = Field("mcm", description="score of a run's own answers")
    list_score: ScoreName | Literal["auto"] = Field(
        "auto", description="score where a class list is given; auto: energy for `bundled`, else neglabel"
    )
    keep: float = Field(0.95, gt=0, lt=1, description="share of known images that is accepted")
    images: str | None = Field(
        None,
        description="image set of known images that it is fitted on; null: held-out captions under the run's noise",
    )
    no_model: str | None = Field(None, description="name under `no_models`, for `ctw` and `atd`")
    conformal: bool = Field(
        False, description="split-conformal threshold: new known images are accepted with a chance of `keep` or more"
    )

    @model_validator(mode="after")
    def _able(self) -> GateConfig:
        for key in ("score", "list_score"):
            name = getattr(self, key)
            if name != "auto" and SCORES[name].needs == "no_model" and self.no_model is None:
                raise ValueError(f"{key}: {name} needs `no_model`, a name under `open_set.no_models`")
        return self


class OpenSetConfig(Settings):
    """The open-set gate: docs/open_set.md; no part of the main job."""

    tests: dict[str, OpenSetTestConfig] | None = Field(
        None, description="what scores are compared on; null: each labelled image set, half of its nouns known"
    )
    runs: tuple[str, ...] = Field((), description="runs whose answers are judged without a class list; none: all")
    methods: tuple[ScoreName, ...] = Field(
        tuple(SCORES), min_length=1, description="scores that are compared; those of a no-model need one"
    )
    prompts: Prompts = Field(
        ("a photo of a {}.",), description="what stands around a noun: texts with one {} each, imagenet80 or imagenet7"
    )
    negatives: NegativesConfig = NegativesConfig()
    background: int = Field(
        512, ge=0, description="nouns of the lexicon that stand beside a run's answers where no list is given"
    )
    pairs: dict[str, HomePath] = Field(
        default_factory=dict,
        description="pairs of image and caption: a folder of images with .txt files of the same names, WebDataset "
        "shards (a folder of .tar files, or one), or a table of path, tab, caption",
    )
    no_models: dict[str, NoModelConfig] = Field(
        default_factory=dict, description="no-models, which `ctw` and `atd` need"
    )
    gate: GateConfig = GateConfig()
    seed: int = Field(1, ge=0, description="of draws of nouns, groups of negatives, patterns")

    def settled(self, config: Config) -> OpenSetConfig:
        """With the tests that there are, where none is named.

        Raises:
            ValueError: a name does not exist; the message begins with its key.
        """
        from nounflow.config.runs.run import one_of

        sets = [*config.image_sets, *config.check_sets]
        for run in self.runs:
            one_of("open_set.runs", run, config.runs)
        if self.negatives.lexicon is not None:
            one_of("open_set.negatives.lexicon", self.negatives.lexicon, config.lexicons)
        if self.gate.no_model is not None:
            one_of("open_set.gate.no_model", self.gate.no_model, self.no_models)
        if self.gate.images is not None:
            one_of("open_set.gate.images", self.gate.images, config.image_sets)
        for name, model in self.no_models.items():
            for part in ("embedder", "lexicon", "mixture", "pairs"):
                if (there := getattr(model, part)) is not None:
                    names = self.pairs if part == "pairs" else getattr(config, f"{part}s")
                    one_of(f"open_set.no_models.{name}.{part}", there, names)
            if model.noise.needs_images:
                raise ValueError(
                    f"open_set.no_models.{name}.noise: a no-model takes no noise that images are measured for"
                )
        for name, test in (self.tests or {}).items():
            one_of(f"open_set.tests.{name}.known", test.known, sets)
            if test.known in config.image_sets and config.image_sets[test.known].labels is None:
                raise ValueError(f"open_set.tests.{name}.known: the image set {test.known} has no `labels`")
            for image_set in test.unknown:
                one_of(f"open_set.tests.{name}.unknown", image_set, sets)
                if image_set == test.known:
                    raise ValueError(f"open_set.tests.{name}.unknown: {image_set} is the known set")
        models = {name: part.settled(config.embedders[part.embedder].spec) for name, part in self.no_models.items()}
        if self.tests is not None:
            return self.model_copy(update={"no_models": models})
        labelled = [name for name, part in config.image_sets.items() if part.labels is not None]
        tests = {name: OpenSetTestConfig(known=name) for name in labelled}
        return self.model_copy(update={"tests": tests, "no_models": models})
