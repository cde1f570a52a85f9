"""Several runs combined."""

from __future__ import annotations

from pydantic import Field

from nounflow.config.base import Settings


class FusedConfig(Settings):
    """The `fused` predictor: other runs combined by a rule that is fitted to held-out texts."""

    parts: tuple[str, ...] = Field((), description="runs that are combined; a single one is calibrated")
    candidates: int = Field(12, ge=1, description="nouns that each part puts forward")
    texts: int = Field(1000, ge=5, description="most held-out texts that the rule is fitted to")
