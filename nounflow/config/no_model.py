"""No-models of the open-set gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nounflow.config.auto import settled_noise
from nounflow.config.base import Settings
from nounflow.config.noise import Noise, NoiseConfig
from nounflow.config.training import TrainingConfig


class NoModelConfig(Settings):
    """A second embedding for each text, trained to be near images that do not show it."""

    embedder: str = Field(description="name under `embedders`")
    mode: Literal["text_only", "head", "tower"] = Field(
        "text_only",
        description="text_only: a residual network, trained on texts under noise; head: the same, on pairs of image and"
        " caption; tower: a copy of the text tower, on pairs",
    )
    pairs: str | None = Field(None, description="head, tower: name under `open_set.pairs`")
    lexicon: str | None = Field(None, description="text_only: name under `lexicons`")
    mixture: str | None = Field(None, description="text_only: name under `mixtures`: the texts")
    hidden: int = Field(0, ge=0, description="width of the residual network; 0: twice the embedding's dimension")
    prompts: int = Field(16, ge=1, description="additive prompts; each text draws one of them or their mean")
    noise: Noise = NoiseConfig()
    training: TrainingConfig = TrainingConfig(samples=200_000, batch_size=256, learning_rate=3e-4, weight_decay=0.2)
    seed: int = Field(1, ge=0, description="of initialisation, sample order and noise")

    @model_validator(mode="after")
    def _taught(self) -> NoModelConfig:
        needed = ("lexicon", "mixture") if self.mode == "text_only" else ("pairs",)
        for key in ("lexicon", "mixture", "pairs"):
            if (getattr(self, key) is None) == (key in needed):
                verb = "needs" if key in needed else "takes no"
                raise ValueError(f"mode {self.mode} {verb} `{key}`")
        return self

    def settled(self, spec: str) -> NoModelConfig:
        """With the noise that follows the embedder, where the config does not say it; images get none."""
        noise = settled_noise(self.noise, spec) if self.mode == "text_only" else NoiseConfig(scheme="none")
        return self.model_copy(update={"noise": noise})
