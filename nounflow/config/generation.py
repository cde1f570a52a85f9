"""How nouns are read out of a decoder."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from nounflow.config.base import Settings
from nounflow.errors import NounflowError

Prior = Literal["none", "tgt", "tok"]

_METHODS = {"greedy": "greedy", "beam": "beam", "all": "exact", "exact": "exact"}
_GUIDED = {"n": "none", "p": "plain", "r": "renorm"}
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
_PARTS = re.compile(
    rf"(?P<method>{'|'.join(_METHODS)})|k(?P<width>\d+)|v(?P<prior>none|(?:tgt|tok)(?P<scale>{_NUMBER})?)"
    rf"|g(?P<guided>[npr])|t(?P<temperature>{_NUMBER})|a(?P<alpha>{_NUMBER})"
)


class GenerationConfig(Settings):
    """How nouns are read out of a decoder."""

    method: Literal["beam", "greedy", "exact"] = Field(
        "beam", description="greedy: one noun, the likeliest token each time; exact: the proven best, however wide"
    )
    beam_width: int = Field(10, ge=1, description="hypotheses kept at each step; at most ten are written")
    guided: Literal["none", "plain", "renorm"] = Field(
        "plain", description="none: any tokens; plain: only nouns of the lexicon; renorm: the same, renormalised"
    )
    prior: Prior = Field(
        "none", description="take off, for ranking, the share of the nouns (tgt) or of the tokens (tok) that go on so"
    )
    prior_scale: float = Field(0.5, ge=0, description="how much of the log-prior is taken off")
    temperature: float = Field(1.0, gt=0, description="softmax temperature")
    length_alpha: float = Field(0.0, description="for ranking, log-probabilities are divided by length to this power")

    @model_validator(mode="after")
    def _greedy_alone(self) -> Self:
        if self.method == "greedy" and (self.beam_width != 1 or self.prior != "none"):
            raise ValueError("greedy search has a beam_width of 1 and no prior")
        return self

    @property
    def name(self) -> str:
        """Short name of the settings, the key of the predictions file: "beam_k10_vnone_gp_t1_a0"."""
        method = {name: text for text, name in _METHODS.items()}[self.method]
        prior = "none" if self.prior == "none" else f"{self.prior}{_short(self.prior_scale)}"
        guided = f"{self.guided[0]}_t{_short(self.temperature)}_a{_short(self.length_alpha)}"
        return f"{method}_k{self.beam_width}_v{prior}_g{guided}"

    @classmethod
    def from_name(cls, name: str) -> GenerationConfig:
        """Settings from such a name: parts in any order and case, those that are missing as by default.

        The original's names are read too; its "all" is the exact search.

        Raises:
            NounflowError: naming the part that is not understood, or stands twice.
        """
        values: dict[str, Any] = {}
        for part in filter(None, re.split(r"[_\s,]+", name.strip().lower())):
            matched = _PARTS.fullmatch(part)
            found = {key: text for key, text in (matched.groupdict() if matched else {}).items() if text is not None}
            if not found or any(key in values for key in found):
                problem = "stands twice" if found else "is not understood"
                raise NounflowError(
                    f"The part {part!r} of the decoding settings {name!r} {problem}",
                    fix="write them like beam_k10_vnone_gp_t1_a0 (greedy, beam or exact; vtgt0.5; gn, gp or gr)",
                )
            values |= found
        prior = values.get("prior", "none")[:3]
        settings = {
            "method": _METHODS.get(values.get("method", "")),
            "beam_width": values.get("width") or (1 if values.get("method") == "greedy" else None),
            "prior": "none" if prior == "non" else prior,
            "prior_scale": values.get("scale") or (1.0 if prior in ("tgt", "tok") else None),
            "guided": _GUIDED.get(values.get("guided", "")),
            "temperature": values.get("temperature"),
            "length_alpha": values.get("alpha"),
        }
        try:
            return cls.model_validate_strings({k: str(v) for k, v in settings.items() if v is not None})
        except ValidationError as error:
            raise NounflowError(
                f"The decoding settings {name!r} do not go together: {error.errors()[0]['msg']}",
                fix="write them like beam_k10_vnone_gp_t1_a0 (greedy, beam or exact; vtgt0.5; gn, gp or gr)",
            ) from None


def _short(number: float) -> str:
    """At most three decimals, none of them an idle zero."""
    return f"{number + 0.0:.3f}".rstrip("0").rstrip(".")
