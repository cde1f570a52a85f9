"""How nouns are read out of a decoder."""

from typing import Literal

from pydantic import Field

from nounflow.config.base import Settings


class GenerationConfig(Settings):
    """How nouns are read out of a decoder."""

    beam_width: int = Field(10, ge=1, description="hypotheses kept at each step; at most ten are written")
    guided: Literal["none", "plain", "renorm"] = Field(
        "plain", description="none: any tokens; plain: only nouns of the lexicon; renorm: the same, renormalised"
    )
    temperature: float = Field(1.0, gt=0, description="softmax temperature")
    length_alpha: float = Field(0.0, description="for ranking, log-probabilities are divided by length to this power")

    @property
    def name(self) -> str:
        """Short name of the settings, the key of the predictions file: "beam_k10_vnone_gp_t1_a0"."""
        guide = {"none": "n", "plain": "p", "renorm": "r"}[self.guided]
        method = "greedy" if self.beam_width == 1 else "beam"
        return f"{method}_k{self.beam_width}_vnone_g{guide}_t{self.temperature:g}_a{self.length_alpha:g}"
