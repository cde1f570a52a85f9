"""The `retrieval` baseline."""

from typing import Annotated, Literal

from pydantic import Field

from nounflow.config.base import Settings


class RetrievalConfig(Settings):
    """The `retrieval` baseline: nearest noun by cosine to prompt-ensembled text embeddings."""

    temperature: Annotated[float, Field(gt=0)] | Literal["auto", "tower"] | None = Field(
        "auto",
        description="turns cosines into probabilities, not ranks; null: fitted to held-out texts; tower: that of the "
        "embedder's own logit scale, fitted where it has none; auto: 0.05 for `bundled`, else tower",
    )
