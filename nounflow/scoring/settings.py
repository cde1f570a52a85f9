"""What the command lines of scores and report are told about image sets. Light to import."""

from __future__ import annotations

from pydantic import BaseModel, RootModel


class LabelFile(BaseModel):
    """What scoring needs of an image set's config; its other keys are passed over."""

    labels: str | None = None


class ImageSetSettings(RootModel[dict[str, LabelFile]]):
    """`--image-sets`: image set -> its label file."""


class Paths(RootModel[dict[str, str | None]]):
    """Image set -> a path, or null."""
