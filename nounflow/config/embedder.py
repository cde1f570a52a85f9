"""Which embedding space."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from nounflow.config.base import Settings


class EmbedderConfig(Settings):
    """A frozen model that puts text and images into one space."""

    spec: str = Field(
        pattern=r"^(bundled|openclip|transformers):.+",
        description="bundled:minilm-conse; openclip: or transformers: with a model name, a hub id or a local folder",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where the hardware has bf16 instructions"
    )
    compile: bool = Field(
        False, description="compile the text tower (torch.compile): a minute at first; worth it for hours on a GPU"
    )
    batch_tokens: Annotated[int, Field(ge=64)] | Literal["auto"] = Field(
        "auto", description="tokens in one text batch; auto: 512 on a CPU; by trial on a GPU"
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
