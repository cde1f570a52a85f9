"""Runs of the `head` baseline."""

from typing import Literal

from pydantic import Field

from nounflow.config.head import HeadConfig
from nounflow.config.runs.run import PREDICTOR, TrainedRun


class HeadRun(TrainedRun):
    """A plain classifier over all nouns, trained on the same noisy embeddings."""

    predictor: Literal["head"] = Field(description=PREDICTOR)
    head: HeadConfig = HeadConfig()

    @property
    def size(self) -> str:
        """See `TrainedRun.size`."""
        return f"head:{self.head.hidden}"
