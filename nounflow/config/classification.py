"""Guided classification on labelled sets."""

from pydantic import Field

from nounflow.config.base import Settings


class ClassificationConfig(Settings):
    """Guided classification (docs/classification.md); no part of the main job unless `sets` names some."""

    sets: tuple[str, ...] = Field(
        (), description="check sets whose classification stands in the report; empty: none there, in the table all"
    )
    runs: tuple[str, ...] = Field((), description="runs that classify; empty: all")
