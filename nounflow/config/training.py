"""How a decoder or a head is trained. Defaults are the two-core recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nounflow.config.base import OPERATIONAL, Settings


class TrainingConfig(Settings):
    """How a decoder or a head is trained. Length is a number of samples, never of seconds."""

    samples: int = Field(180_000, ge=1, description="training samples drawn in all")
    batch_size: int = Field(256, ge=1, description="samples a step")
    learning_rate: float = Field(3e-3, gt=0, description="peak learning rate, reached after the warm-up")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps that raise the learning rate")
    weight_decay: float = Field(0.1, ge=0, description="AdamW decay, on tensors of two dimensions only")
    beta2: float = Field(0.98, gt=0, lt=1, description="AdamW second-moment decay")
    clip: float = Field(1.0, gt=0, description="greatest norm of the gradient")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of the token loss")
    synonym_share: float = Field(
        0.0, ge=0, lt=1, description="share of a noun's target weight that its synonyms in the lexicon get; 0: off"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the hardware has bf16 instructions"
    )
    micro_batch: int | None = Field(
        None, ge=1, description="most samples computed at once; gradients of a batch are pooled (null: 512; GPU: 8192)"
    )
    compile: bool = Field(False, description="compile the model with torch.compile; pays on a GPU")
    ema: float = Field(0.0, ge=0, lt=1, description="decay a step of averaged weights, which become the result; 0: off")
    heldout_nouns: float = Field(0.0, ge=0, lt=1, description="share of the nouns whose texts are held out too")
    heldout_templates: float = Field(0.0, ge=0, lt=1, description="share of the templates whose texts are held out too")
    evaluations: int = Field(12, ge=1, description="how often the held-out texts are looked at")
    watch: Literal["captions", "nouns", "templates"] = Field(
        "captions", description="held-out texts whose loss `keep` and `patience` go by"
    )
    keep: Literal["last", "best"] = Field("last", description="weights that are kept; best: of the least watched loss")
    patience: int = Field(0, ge=0, description="stop after so many evaluations without a lower watched loss; 0: never")
    checkpoint_minutes: Annotated[float, OPERATIONAL] = Field(2.0, ge=0, description="most minutes that a kill costs")
    checkpoint_steps: Annotated[int | None, OPERATIONAL] = Field(
        None, ge=1, description="write a checkpoint every so many steps, too"
    )
    trackers: Annotated[tuple[Literal["tensorboard", "wandb"], ...], OPERATIONAL] = Field(
        (), description="where else the curves go; needs the extra `tracking`"
    )

    @model_validator(mode="after")
    def _watchable(self) -> "TrainingConfig":
        if self.watch != "captions" and not getattr(self, f"heldout_{self.watch}"):
            raise ValueError(f"watch: {self.watch} needs heldout_{self.watch} above 0")
        return self
