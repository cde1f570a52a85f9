"""What training samples are drawn from."""

from typing import Annotated

from pydantic import Field, model_validator

from nounflow.config.base import Settings


class MixtureConfig(Settings):
    """How often each caption source is sampled in training. Weights, not copies."""

    multiset: tuple[Annotated[float, Field(ge=0)], ...] = Field((), description="weights of M1, M2, ...")
    offline: float = Field(0.0, ge=0, description="weight of the offline captions")
    llm: float = Field(0.0, ge=0, description="weight of the language model's captions")
    heldout: float = Field(0.02, ge=0, lt=1, description="share of the texts that is never trained on")

    @model_validator(mode="after")
    def _something(self) -> "MixtureConfig":
        if not self.weights:
            raise ValueError("at least one source needs a weight above 0")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Source name ("m1", ..., "offline", "llm") -> weight, for the sources that are used."""
        named = {f"m{m}": weight for m, weight in enumerate(self.multiset, 1)} | {
            "offline": self.offline,
            "llm": self.llm,
        }
        return {source: weight for source, weight in named.items() if weight > 0}
