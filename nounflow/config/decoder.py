"""Shape of the object decoder."""

from typing import Literal

from pydantic import Field, model_validator

from nounflow.config.base import Settings


class DecoderConfig(Settings):
    """Shape of the object decoder (NOVIC paper, section 3.3 and appendix A)."""

    prefix_tokens: int = Field(2, ge=1, le=64, description="prefix vectors made from the embedding")
    neighbours: int = Field(
        0, ge=0, le=32, description="further prefix vectors: the nearest nouns by cosine, of their mean texts in M1"
    )
    width: int = Field(384, ge=16, description="hidden width")
    heads: int = Field(6, ge=1, description="attention heads")
    layers: int = Field(2, ge=1, description="transformer layers")
    feedforward: float = Field(0.25, gt=0, description="feed-forward width as a share of the hidden width")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout in attention, residuals and feed-forward")
    tied: bool = Field(True, description="token embedding and logits share one matrix")
    strictly_causal: bool = Field(False, description="a prefix vector sees only those before it, not all of them")
    init: Literal["nouns", "balanced", "open", "default"] = Field(
        "nouns",
        description="nouns: as balanced, and tokens begin as the mean of the nouns that have them; balanced: unit"
        " variance everywhere; open: layers as in OpenCLIP; default: torch's own",
    )

    @property
    def prefix_length(self) -> int:
        """Prefix vectors in all."""
        return self.neighbours + self.prefix_tokens

    @model_validator(mode="after")
    def _divides(self) -> "DecoderConfig":
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be a multiple of heads ({self.heads})")
        return self
