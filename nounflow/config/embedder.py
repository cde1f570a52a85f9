"""Which embedding space."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator

from nounflow.config.base import OPERATIONAL, Settings
from nounflow.registry import Registry


class EmbedderFamily(NamedTuple):
    """Models of one library; a spec is "family:model"."""

    load: str  # place: `function(model, options, images)` -> `nounflow.embedders.protocol.Embedder`
    tokenizer: str  # place: `function(model)` -> `nounflow.embedders.tokenizer.TargetTokenizer`
    models: tuple[str, ...] = ()  # that there are; none named: any that the library knows


FAMILIES: Registry[EmbedderFamily] = {
    "bundled": EmbedderFamily(
        "nounflow.embedders.bundled:load", "nounflow.embedders.minilm_tokenizer:load_tokenizer", ("minilm-conse",)
    ),
    "openclip": EmbedderFamily("nounflow.embedders.openclip:load", "nounflow.embedders.openclip:load_tokenizer"),
    "transformers": EmbedderFamily(
        "nounflow.embedders.transformers_clip:load", "nounflow.embedders.transformers_tokenizer:load_tokenizer"
    ),
}


def family_of(spec: str) -> EmbedderFamily:
    """Whose model a spec names."""
    return FAMILIES[spec.partition(":")[0]]


class EmbedderConfig(Settings):
    """A frozen model that puts text and images into one space."""

    spec: str = Field(
        description="bundled:minilm-conse; openclip: or transformers: with a model name, a hub id or a local folder"
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
    image_batch: Annotated[int, OPERATIONAL] = Field(
        32, ge=1, description="images decoded and held at a time; computed are 16, on a GPU 64"
    )

    @field_validator("spec")
    @classmethod
    def _known(cls, spec: str) -> str:
        family, _, model = spec.partition(":")
        if family not in FAMILIES or not model:
            raise ValueError(f"found {spec!r}, expected FAMILY:MODEL with one of the families {', '.join(FAMILIES)}")
        if (models := FAMILIES[family].models) and model not in models:
            raise ValueError(f"there is no {family} embedder {spec!r}, allowed: {family}:{f', {family}:'.join(models)}")
        return spec

    @property
    def family(self) -> EmbedderFamily:
        """Who loads it."""
        return family_of(self.spec)

    @property
    def model(self) -> str:
        """The spec without its family."""
        return self.spec.partition(":")[2]

    def of_images(self) -> "EmbedderConfig":
        """With what is about texts as usual, so that it shapes no vector of an image (`bundled` embeds some)."""
        return EmbedderConfig(spec=self.spec, precision=self.precision, image_batch=self.image_batch)

    def of_tokens(self) -> "EmbedderConfig":
        """With all as usual that does not shape how nouns are spelled."""
        return EmbedderConfig(spec=self.spec)
