"""Runs of the `retrieval` baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from nounflow.config.auto import choice_for
from nounflow.config.retrieval import RetrievalConfig
from nounflow.config.runs.run import PREDICTOR, Run

if TYPE_CHECKING:
    from nounflow.config.experiment import Config


class RetrievalRun(Run):
    """The nearest noun by cosine; its noise is that of the held-out texts to which a temperature is fitted."""

    predictor: Literal["retrieval"] = Field(description=PREDICTOR)
    retrieval: RetrievalConfig = RetrievalConfig()

    def settled(self, spec: str) -> Self:
        """See `Run.settled`."""
        chosen = self.retrieval
        if chosen.temperature == "auto":
            chosen = chosen.model_copy(update={"temperature": choice_for(spec).temperature})
        return super().settled(spec).model_copy(update={"retrieval": chosen})

    def check(self, key: str, config: Config) -> None:
        """See `Run.check`."""
        if self.noise.needs_images:
            raise ValueError(f"{key}.noise.images: retrieval is not trained, so there is nothing to match to images")
        super().check(key, config)
        if "m1" not in config.mixtures[self.mixture].weights:
            raise ValueError(
                f"{key}.mixture: retrieval needs texts that name one noun; {self.mixture!r} gives m1 no weight"
            )
