"""Who judges: a rule, people through their decision log, or a language model that sees the pictures."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nounflow.config.base import OPERATIONAL, HomePath, Settings
from nounflow.config.llm import LLMConfig

PolicyRule = Literal["majority", "senior", "latest"]
ScoreClass = Literal["correct_primary", "correct_secondary", "close_primary", "close_secondary", "incorrect"]
PAGE_KEYS = "erzxcfbvnghm?+=-123456789"  # of the annotation page's own; digits are the categories in their order


class WordNetAnnotatorConfig(Settings):
    """Judges by the image set's labels and WordNet (docs/annotations.md)."""

    kind: Literal["wordnet"] = Field(description="a rule")


class LabelConfig(Settings):
    """A category that people judge by, where the five are not what a project asks for."""

    counts_as: ScoreClass = Field(description="what it is in annotations and scores")
    title: str = Field(min_length=1, max_length=40, description="what its button says")
    detail: str = Field("", max_length=40, description="small print below the title")
    key: str = Field(description="the key that chooses it")
    colour: str = Field(description="`#` and six hexadecimal digits")
    when: str = Field("", description="the guideline: when a noun belongs here")
    example: str = Field("", description="the guideline: an example")

    @field_validator("key", "colour")
    @classmethod
    def _usable(cls, value: str, field: ValidationInfo) -> str:
        if field.field_name == "colour" and not re.fullmatch("#[0-9a-fA-F]{6}", value):
            raise ValueError(f"found {value!r}, must be # and six hexadecimal digits, such as #1f7a4d")
        if field.field_name == "key" and (not len(value) == len(value.strip()) == 1 or value.lower() in PAGE_KEYS):
            raise ValueError(f"found {value!r}, must be one sign that the page does not use itself ({PAGE_KEYS})")
        return value.lower()


LabelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=40)]
Scheme = Mapping[str, LabelConfig]


class PeopleAnnotatorConfig(Settings):
    """People who judge with `nounflow annotate`; what they decide stands in a decision log."""

    kind: Literal["people"] = Field(description="a decision log")
    log: HomePath = Field("ledgers/decisions.sqlite", description="decision log: SQLite, or its text form .jsonl")
    members: tuple[str, ...] = Field((), description="whose decisions count (none named: everyone's in the log)")
    policy: tuple[PolicyRule, ...] = Field(
        ("majority", "senior", "latest"),
        description="how contradictions are settled: each rule narrows what the one before it left",
    )
    seniority: tuple[str, ...] = Field((), description="names for the rule `senior`, the most senior first")
    second_pass: float = Field(
        0.1, ge=0, le=1, description="share of the images that a second person judges too, without seeing the first"
    )
    scheme: dict[LabelName, LabelConfig] = Field(
        {}, max_length=9, description="categories of your own, in the order of the buttons; none: the usual five"
    )

    @field_validator("scheme")
    @classmethod
    def _told_apart(cls, scheme: dict[str, LabelConfig]) -> dict[str, LabelConfig]:
        for what in ("key", "title"):
            names: dict[str, str] = {}
            for name, label in scheme.items():
                if (other := names.setdefault(getattr(label, what).lower(), name)) != name:
                    raise ValueError(f"{other} and {name} have the same {what} {getattr(label, what)!r}")
        for name, label in scheme.items():
            if name in ("unsure", "skipped") or (name in get_args(ScoreClass) and name != label.counts_as):
                raise ValueError(f"{name}: this name means something else already; take another")
        return scheme

    @model_validator(mode="after")
    def _known(self) -> "PeopleAnnotatorConfig":
        if self.members and (strangers := set(self.seniority) - set(self.members)):
            raise ValueError(f"seniority names {', '.join(sorted(strangers))}, who is not among the members")
        if len(set(self.policy)) < len(self.policy):
            raise ValueError("policy: a rule is named twice")
        return self


class OpenAIAnnotatorConfig(Settings):
    """A multimodal model behind any OpenAI-compatible server, asked several times about each noun."""

    kind: Literal["openai"] = Field(description="a language model")
    server: LLMConfig = Field(description="the model and its server; see `server` below")
    top_k: int = Field(5, ge=1, description="how many nouns of each run are judged")
    nouns_per_request: int = Field(12, ge=1, le=50, description="most nouns of one picture in a request")
    min_votes: int = Field(3, ge=1, description="votes that each noun gets")
    max_votes: int = Field(5, ge=1, description="votes that a noun gets at most, where the first ones differ")
    confidence: float = Field(
        0.78, gt=0.5, lt=1, description="share of the votes for correct, close or incorrect that settles a noun"
    )
    max_side: int = Field(512, ge=64, le=4096, description="longest side of the picture that is sent, in pixels")
    detail: Literal["low", "high", "auto"] = Field("high", description="how closely OpenAI's servers look")
    image_tokens: Annotated[int, OPERATIONAL] = Field(
        1000, ge=1, description="most prompt tokens that the model counts for one picture: for the budget"
    )
    seed: int = Field(1, ge=0, description="seed of the order of the nouns in each vote")
    log: HomePath = Field("ledgers/judgements.sqlite", description="decision log that the judgements are added to")
    ledger: Annotated[HomePath, OPERATIONAL] = Field(
        "ledgers/annotations.sqlite", description="file of all requests and answers; keep it, a rerun replays it"
    )
    people: str = Field(
        "people", description="annotator of kind people that votes are calibrated on and agreement is measured with"
    )
    min_calibrated: int = Field(50, ge=10, description="pairs judged by people from which on votes are calibrated")

    @model_validator(mode="after")
    def _ordered(self) -> "OpenAIAnnotatorConfig":
        if self.min_votes > self.max_votes:
            raise ValueError("`min_votes` must not be above `max_votes`")
        return self

    def identity(self) -> dict[str, Any]:
        """What decides which answers come: judgements under other values of these are another judge's."""
        asked = {"nouns_per_request", "min_votes", "max_votes", "confidence", "max_side", "detail", "seed"}
        return self.model_dump(mode="json", include=asked) | {"server": self.server.identity()}


AnnotatorConfig = Annotated[
    WordNetAnnotatorConfig | PeopleAnnotatorConfig | OpenAIAnnotatorConfig, Field(discriminator="kind")
]
