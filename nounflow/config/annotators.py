"""Who judges: a rule, or people through their decision log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from nounflow.config.base import Settings

PolicyRule = Literal["majority", "senior", "latest"]


class WordNetAnnotatorConfig(Settings):
    """Judges by the image set's labels and WordNet (docs/annotations.md)."""

    kind: Literal["wordnet"] = Field(description="a rule")


class PeopleAnnotatorConfig(Settings):
    """People who judge with `nounflow annotate`; what they decide stands in a decision log."""

    kind: Literal["people"] = Field(description="a decision log")
    log: str = Field("ledgers/decisions.sqlite", description="decision log: SQLite, or its text form .jsonl")
    members: tuple[str, ...] = Field((), description="whose decisions count (none named: everyone's in the log)")
    policy: tuple[PolicyRule, ...] = Field(
        ("majority", "senior", "latest"),
        description="how contradictions are settled: each rule narrows what the one before it left",
    )
    seniority: tuple[str, ...] = Field((), description="names for the rule `senior`, the most senior first")
    second_pass: float = Field(
        0.1, ge=0, le=1, description="share of the images that a second person judges too, without seeing the first"
    )

    @field_validator("log")
    @classmethod
    def _home(cls, path: str) -> str:
        return str(Path(path).expanduser())

    @model_validator(mode="after")
    def _known(self) -> PeopleAnnotatorConfig:
        if self.members and (strangers := set(self.seniority) - set(self.members)):
            raise ValueError(f"seniority names {', '.join(sorted(strangers))}, who is not among the members")
        if len(set(self.policy)) < len(self.policy):
            raise ValueError("policy: a rule is named twice")
        return self


AnnotatorConfig = Annotated[WordNetAnnotatorConfig | PeopleAnnotatorConfig, Field(discriminator="kind")]
