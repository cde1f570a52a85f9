"""The `retrieval` baseline."""

from pydantic import Field

from nounflow.config.base import Settings


class RetrievalConfig(Settings):
    """The `retrieval` baseline: nearest noun by cosine to prompt-ensembled text embeddings."""

    temperature: float | None = Field(
        0.05, gt=0, description="turns cosines into probabilities, not ranks; null: fitted to held-out texts"
    )
