"""Which embedding space."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from nounflow.config.base import Settings


class EmbedderConfig(Settings):
    """A frozen model that puts text and images into one space."""

    spec: str = Field(
        pattern=r"^(bundled|openclip):.+",
        description="bundled:minilm-conse, or openclip: with a model name, a hub id or a local folder",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the hardware has bf16 instructions"
    )
    batch_tokens: int = Field(
        1024, ge=64, description="tokens in one text batch: about 1,000 fit a CPU's cache, a GPU wants 16,000 or more"
    )
    dtype: Literal["float16", "int8"] = Field(
        "float16", description="how text vectors are stored; int8 takes half the space (docs/embeddings.md)"
    )
    image_batch: int = Field(32, ge=1, description="images in one batch")

    @field_validator("spec")
    @classmethod
    def _known(cls, spec: str) -> str:
        if spec.startswith("bundled:") and spec != "bundled:minilm-conse":
            raise ValueError(f"there is no bundled embedder {spec!r}, allowed: bundled:minilm-conse")
        return spec
