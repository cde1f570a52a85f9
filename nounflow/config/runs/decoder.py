"""Runs of the object decoder."""

from typing import Annotated, Literal

from pydantic import Field

from nounflow.config.base import OPERATIONAL
from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.config.runs.run import PREDICTOR, TrainedRun


class DecoderRun(TrainedRun):
    """The object decoder: writes nouns token by token."""

    predictor: Literal["decoder"] = Field("decoder", description=PREDICTOR)
    decoder: DecoderConfig = DecoderConfig()
    generation: Annotated[GenerationConfig, OPERATIONAL] = GenerationConfig()  # the model is the same under any

    @property
    def size(self) -> str:
        """See `TrainedRun.size`."""
        return f"decoder:{self.decoder.width}x{self.decoder.layers}"
