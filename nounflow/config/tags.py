"""Several nouns for an image: on which images, from which views, and what is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from nounflow.config.base import HomePath, Settings
from nounflow.config.check_set import Templates
from nounflow.config.runs.run import one_of
from nounflow.config.training import TrainingConfig
from nounflow.predictor_kinds import PREDICTORS

if TYPE_CHECKING:
    from nounflow.config.experiment import Config


class ScenesConfig(Settings):
    """The composed test set of tags and regions (docs/tags.md)."""

    count: int = Field(2000, ge=20, description="pictures; 40 % train, 10 % val, 50 % test")
    seed: int = Field(1, ge=0, description="of splits, sizes and places")
    photos: str = Field("resources/image_sets/photos.tsv", description="label file of the cut-outs of `tuxpaint`")


class TagSetConfig(Settings):
    """Images with several labels each: `scenes`, or a folder of yours."""

    source: Literal["scenes"] | None = Field(None, description="scenes: composed here, see `scenes`")
    folder: HomePath | None = Field(None, description="a folder of images (searched with its sub-folders)")
    labels: HomePath | None = Field(
        None,
        description="with `folder`: COCO JSON, CSV or TSV with file, present, unknown, split, or NUS-WIDE's folder",
    )
    seen: HomePath | None = Field(
        None, description="file with the labels that may be trained on, one a line; null: those of the split train"
    )

    @model_validator(mode="after")
    def _one_source(self) -> TagSetConfig:
        if (self.source is None) == (self.folder is None):
            raise ValueError("give either `source` or `folder`")
        if (self.labels is None) != (self.folder is None):
            raise ValueError("`folder` and `labels` go together; scenes bring their labels")
        return self


class TagMethodConfig(Settings):
    """An adapter of image vectors, x + B A x, or context words of labels: trained on seen labels, or on texts alone."""

    how: Literal["adapter", "adapter_offset", "context", "text_only"] = Field(
        "adapter",
        description="on images with seen labels; adapter_offset: labels share a shift, too; context: the words before "
        "a label in `templates`, as vectors, in the place of the map; text_only: the map, on texts",
    )
    run: str | None = Field(None, description="text_only: the run whose texts and noise are taken; null: the first")
    loss: Literal["ranking", "hinge", "asymmetric"] = Field(
        "hinge", description="ranking: as published, linear in effect; hinge: on logits; asymmetric: for each label"
    )
    margin: float = Field(1.0, gt=0, description="hinge: by how much a present label should stand above an absent one")
    temperature: float = Field(0.05, gt=0, description="logits are cosines divided by it; CLIP: 0.01")
    best: int = Field(2, ge=1, description="local scores of a label that are averaged")
    distil: float = Field(1.0, ge=0, description="weight of staying near the frozen vectors")
    rank: int = Field(32, ge=1, description="of the map")
    training: TrainingConfig = TrainingConfig(samples=20_000, batch_size=64, learning_rate=1e-3, weight_decay=0.05)


class TagsConfig(Settings):
    """Several nouns for an image: docs/tags.md; no part of the main job."""

    sets: dict[str, TagSetConfig] = Field(default_factory=dict, description="what methods are compared on")
    local: Literal["tiles", "tokens"] = Field(
        "tiles", description="local views: 13 tiles of an image, or the patches of towers that have them"
    )
    embedder: str | None = Field(None, description="name under `embedders`; null: the first")
    runs: tuple[str, ...] = Field(
        (), description="runs of this embedder whose answers are compared, also without a list; none: all of them"
    )
    trained: dict[str, TagMethodConfig] = Field(default_factory=dict, description="adapters that are compared")
    templates: Templates = Field(
        ("{}", "a photo of a {}.", "There is a {} in the scene."), min_length=1, description="texts of a label"
    )
    best: int = Field(2, ge=1, description="local scores of a label that are averaged (published: 16 of 196 patches)")
    temperature: float = Field(0.05, gt=0, description="of the softmax over labels within a local view; CLIP: 0.01")
    penalty: float = Field(0.25, gt=0, description="SpLiCE: weight of sparseness")
    nouns: int = Field(1, ge=1, description="without a list: nouns that each view puts forward")
    gated: bool = Field(False, description="without a list: each run also behind its gate (`open_set`)")
    seed: int = Field(1, ge=0, description="of training and of the intervals")

    def embedder_of(self, config: Config) -> str:
        """The embedder that all is compared on."""
        used = [run.embedder for run in config.runs.values()] or list(config.embedders)
        return self.embedder or used[0]

    def runs_of(self, config: Config) -> tuple[str, ...]:
        """The runs that are compared."""
        own = [name for name, run in config.runs.items() if run.embedder == self.embedder_of(config)]
        return self.runs or tuple(name for name in own if not PREDICTORS[config.runs[name].predictor].combines)

    def run_of(self, method: str, config: Config) -> str:
        """The run whose texts and noise an adapter that is trained on texts takes."""
        return self.trained[method].run or self.runs_of(config)[0]

    def check(self, config: Config) -> None:
        """Are the names free, and do those that are named exist?

        Raises:
            ValueError: no; the message begins with the key.
        """
        for name in self.sets:
            if name in config.image_sets or name in config.check_sets:
                raise ValueError(f"tags.sets.{name}: an image set has this name too, and their results share a folder")
        one_of("tags.embedder", embedder := self.embedder_of(config), config.embedders)
        if config.runs and not self.runs_of(config):
            raise ValueError(f"tags.embedder: no run is of {embedder}; name one that a run has")
        for key, run in [("tags.runs", run) for run in self.runs] + [
            (f"tags.trained.{name}.run", part.run) for name, part in self.trained.items() if part.run
        ]:
            one_of(key, run, [name for name, each in config.runs.items() if each.embedder == embedder])
