"""What a run is: `predictor` says which keys it has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from nounflow.config.base import OPERATIONAL, Settings
from nounflow.config.decoder import DecoderConfig
from nounflow.config.fused import FusedConfig
from nounflow.config.generation import GenerationConfig
from nounflow.config.head import HeadConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.retrieval import RetrievalConfig
from nounflow.config.training import TrainingConfig


class Run(Settings):
    """What all runs have."""

    predictor: str
    lexicon: str = Field(description="name under `lexicons`")
    embedder: str = Field(description="name under `embedders`")
    mixture: str = Field(description="name under `mixtures`")
    noise: NoiseConfig = NoiseConfig()
    seed: int = Field(1, ge=0, description="seed of initialisation, sample order and noise")

    def recipe(self) -> dict[str, Any]:
        """What the model depends on besides its training set, as JSON: what its manifest keeps."""
        names = ("predictor", "lexicon", "embedder", "mixture")
        return {key: value for key, value in self.shaping().items() if key not in names}


class TrainedRun(Run):
    """A run that goes through the training loop."""

    training: TrainingConfig = TrainingConfig()

    @property
    def size(self) -> str:
        """What the speed of its training depends on, as resources/rates.tsv calls it."""
        raise NotImplementedError


class DecoderRun(TrainedRun):
    """The object decoder: writes nouns token by token."""

    predictor: Literal["decoder"] = Field("decoder", description="what answers")
    decoder: DecoderConfig = DecoderConfig()
    generation: Annotated[GenerationConfig, OPERATIONAL] = GenerationConfig()  # the model is the same under any

    @property
    def size(self) -> str:
        """See `TrainedRun.size`."""
        return f"decoder:{self.decoder.width}x{self.decoder.layers}"


class HeadRun(TrainedRun):
    """A plain classifier over all nouns, trained on the same noisy embeddings."""

    predictor: Literal["head"] = Field(description="what answers")
    head: HeadConfig = HeadConfig()

    @property
    def size(self) -> str:
        """See `TrainedRun.size`."""
        return f"head:{self.head.hidden}"


class RetrievalRun(Run):
    """The nearest noun by cosine; its noise is that of the held-out texts to which a temperature is fitted."""

    predictor: Literal["retrieval"] = Field(description="what answers")
    retrieval: RetrievalConfig = RetrievalConfig()


class FusedRun(Run):
    """Other runs combined; its noise is that of the held-out texts to which the rule is fitted."""

    predictor: Literal["fused"] = Field(description="what answers")
    fused: FusedConfig = FusedConfig()


def _decoder_unless_said(run: Any) -> Any:
    return {"predictor": "decoder", **run} if isinstance(run, dict) else run


RunConfig = Annotated[
    Annotated[DecoderRun | HeadRun | RetrievalRun | FusedRun, Field(discriminator="predictor")],
    BeforeValidator(_decoder_unless_said),
]
RUN: TypeAdapter[DecoderRun | HeadRun | RetrievalRun | FusedRun] = TypeAdapter(RunConfig)
