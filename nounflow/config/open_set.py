"""The open-set tests: what is known, what is not, and which scores are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nounflow.config.base import HomePath, OneOf, Settings
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


class OpenSetConfig(Settings):
    """The open-set gate: docs/open_set.md; no part of the main job."""

    tests: dict[str, OpenSetTestConfig] = Field(default_factory=dict, description="what scores are compared on")
    runs: tuple[str, ...] = Field((), description="runs whose answers are judged without a class list; none: all")
    methods: tuple[ScoreName, ...] = Field(
        tuple(SCORES), min_length=1, description="scores that are compared; those of a no-model need one"
    )
    negatives: NegativesConfig = NegativesConfig()
    background: int = Field(
        512, ge=0, description="nouns of the lexicon that stand beside a run's answers where no list is given"
    )
    keep: float = Field(0.95, gt=0, lt=1, description="share of known images that a threshold accepts")
    seed: int = Field(1, ge=0, description="of draws of nouns, groups of negatives, patterns")

    def check(self, config: Config) -> None:
        """Do the names exist?

        Raises:
            ValueError: one does not; the message begins with its key.
        """
        from nounflow.config.runs.run import one_of

        for run in self.runs:
            one_of("open_set.runs", run, config.runs)
        if self.negatives.lexicon is not None:
            one_of("open_set.negatives.lexicon", self.negatives.lexicon, config.lexicons)
        for name, test in self.tests.items():
            one_of(f"open_set.tests.{name}.known", test.known, config.image_sets)
            if config.image_sets[test.known].labels is None:
                raise ValueError(f"open_set.tests.{name}.known: the image set {test.known} has no `labels`")
            for image_set in test.unknown:
                one_of(f"open_set.tests.{name}.unknown", image_set, config.image_sets)
                if image_set == test.known:
                    raise ValueError(f"open_set.tests.{name}.unknown: {image_set} is the known set")
