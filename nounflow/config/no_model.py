"""No-models of the open-set gate."""

from __future__ import annotations

from pydantic import Field

from nounflow.config.auto import settled_noise
from nounflow.config.base import Settings
from nounflow.config.noise import Noise, NoiseConfig
from nounflow.config.training import TrainingConfig


class NoModelConfig(Settings):
    """A second embedding for each text, trained on texts under noise to be near images that do not show it."""

    embedder: str = Field(description="name under `embedders`")
    lexicon: str = Field(description="name under `lexicons`")
    mixture: str = Field(description="name under `mixtures`: the texts")
    hidden: int = Field(0, ge=0, description="width of the residual network; 0: twice the embedding's dimension")
    prompts: int = Field(16, ge=1, description="additive prompts; each text draws one of them or their mean")
    noise: Noise = NoiseConfig()
    training: TrainingConfig = TrainingConfig(samples=200_000, batch_size=256, learning_rate=3e-4, weight_decay=0.2)
    seed: int = Field(1, ge=0, description="of initialisation, sample order and noise")

    def settled(self, spec: str) -> NoModelConfig:
        """With the noise that follows the embedder, where the config does not say it."""
        return self.model_copy(update={"noise": settled_noise(self.noise, spec)})
