"""Several nouns for an image: on which images, from which views, and what is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from nounflow.config.base import HomePath, Settings

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


class TagsConfig(Settings):
    """Several nouns for an image: docs/tags.md; no part of the main job."""

    sets: dict[str, TagSetConfig] = Field(default_factory=dict, description="what methods are compared on")
    local: Literal["tiles", "tokens"] = Field(
        "tiles", description="local views: 13 tiles of an image, or the patches of towers that have them"
    )

    def check(self, config: Config) -> None:
        """Are the names free, and do those that are named exist?

        Raises:
            ValueError: no; the message begins with the key.
        """
        for name in self.sets:
            if name in config.image_sets or name in config.check_sets:
                raise ValueError(f"tags.sets.{name}: an image set has this name too, and their results share a folder")
