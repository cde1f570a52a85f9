"""Shape of the `head` baseline."""

from typing import Literal

from pydantic import Field

from nounflow.config.base import Settings


class HeadConfig(Settings):
    """The `head` baseline: a classifier over all nouns."""

    hidden: int = Field(0, ge=0, description="width of a hidden layer (0: linear)")
    init: Literal["nouns", "default"] = Field(
        "nouns", description="nouns: a linear head begins as their mean embeddings; default: torch's own"
    )
