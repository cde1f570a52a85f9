"""Noise, model, training and decoding of a run. Defaults are the two-core recipe."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field, model_validator

from nounflow.config.base import Settings


class NoiseConfig(Settings):
    """Noise on the unit text embedding in training: schemes of the NOVIC paper, section 3, and some that it lacks."""

    scheme: Literal[
        "none", "gauss_elem", "gauss_vec", "gauss_angle", "uniform_angle", "gauss_elem_uniform_angle", "gap",
        "covariance",
    ] = Field("gauss_elem", description="how an embedding is perturbed")  # fmt: skip
    norm: float = Field(0.6, gt=0, description="expected norm of Gaussian noise (the embedding has norm 1)")
    angle_std: float = Field(20.0, gt=0, le=180, description="gauss_angle: standard deviation in degrees")
    angle_min: float = Field(45.0, ge=0, le=180, description="uniform angles: least, in degrees")
    angle_max: float = Field(75.0, gt=0, le=180, description="uniform and Gaussian angles: greatest, in degrees")
    mix_ratio: float = Field(0.15, ge=0, le=1, description="gauss_elem_uniform_angle: share of uniform angles")
    images: str | None = Field(
        None, description="image set whose images, without labels, show the gap; gap, residuals and shift need it"
    )
    covariance: Literal["residuals", "texts"] = Field(
        "residuals", description="covariance: that of images less their nearest texts, or that of the texts"
    )
    rank: int = Field(16, ge=0, le=64, description="covariance: principal axes; the rest is taken as independent")
    shift: Literal["none", "texts", "images"] = Field(
        "none", description="mean shift: added to texts in training, or subtracted from images when they are named"
    )
    schedule: Literal["constant", "linear", "cosine", "warmup"] = Field(
        "constant", description="how the noise's scale goes from schedule_start to schedule_end; constant: 1"
    )
    schedule_start: float = Field(0.0, ge=0, description="scale of norm or angle at the first step")
    schedule_end: float = Field(1.0, ge=0, description="scale of norm or angle at the last step")
    schedule_rise: float = Field(0.2, gt=0, le=1, description="warmup: share of the steps until schedule_end")

    @property
    def needs_images(self) -> bool:
        """Whether the gap between images and texts has to be measured."""
        residuals = self.scheme == "covariance" and self.covariance == "residuals"
        return self.scheme == "gap" or residuals or self.shift != "none"

    @property
    def described(self) -> str:
        """The scheme and what shapes it: "gauss_elem, norm 0.6"."""
        shaped_by = {
            "gauss_elem": ("norm",),
            "gauss_vec": ("norm",),
            "gauss_angle": ("angle_std", "angle_max"),
            "uniform_angle": ("angle_min", "angle_max"),
            "gauss_elem_uniform_angle": ("norm", "angle_min", "angle_max", "mix_ratio"),
            "covariance": ("norm", "rank"),
        }
        words = [self.scheme, *(f"{name} {getattr(self, name):g}" for name in shaped_by.get(self.scheme, ()))]
        if self.scheme == "covariance":
            words.append(f"of {self.covariance}")
        if self.shift != "none":
            words.append(f"shift of {self.shift}")
        if self.schedule != "constant":
            words.append(f"{self.schedule} {self.schedule_start:g} to {self.schedule_end:g}")
        return ", ".join(words)

    @model_validator(mode="after")
    def _whole(self) -> NoiseConfig:
        if "uniform" in self.scheme and self.angle_min >= self.angle_max:
            raise ValueError(f"angle_min ({self.angle_min:g}) must be below angle_max ({self.angle_max:g})")
        if self.needs_images and self.images is None:
            raise ValueError("scheme gap, covariance of residuals and shift need `images`, the name of an image set")
        return self


class DecoderConfig(Settings):
    """Shape of the object decoder (NOVIC paper, section 3.3 and appendix A)."""

    prefix_tokens: int = Field(2, ge=1, le=64, description="prefix vectors made from the embedding")
    width: int = Field(384, ge=16, description="hidden width")
    heads: int = Field(6, ge=1, description="attention heads")
    layers: int = Field(2, ge=1, description="transformer layers")
    feedforward: float = Field(0.25, gt=0, description="feed-forward width as a share of the hidden width")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout in attention, residuals and feed-forward")
    tied: bool = Field(True, description="token embedding and logits share one matrix")
    strictly_causal: bool = Field(False, description="a prefix vector sees only those before it, not all of them")
    init: Literal["balanced", "open", "default"] = Field(
        "balanced", description="balanced: unit variance everywhere; open: layers as in OpenCLIP; default: torch's own"
    )

    @model_validator(mode="after")
    def _divides(self) -> DecoderConfig:
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be a multiple of heads ({self.heads})")
        return self


class TrainingConfig(Settings):
    """How a decoder or a head is trained. Length is a number of samples, never of seconds."""

    samples: int = Field(400_000, ge=1, description="training samples drawn in all")
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
        None,
        ge=1,
        description="most samples computed at once; gradients of a batch are pooled (null: 512; GPU: 8192)",
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
    checkpoint_minutes: float = Field(2.0, ge=0, description="most minutes that a killed run loses")
    checkpoint_steps: int | None = Field(None, ge=1, description="write a checkpoint every so many steps, too")
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = Field(
        (), description="where else the curves go; needs the extra `tracking`"
    )

    @model_validator(mode="after")
    def _watchable(self) -> TrainingConfig:
        if self.watch != "captions" and not getattr(self, f"heldout_{self.watch}"):
            raise ValueError(f"watch: {self.watch} needs heldout_{self.watch} above 0")
        return self


class HeadConfig(Settings):
    """The `head` baseline: a classifier over all nouns."""

    hidden: int = Field(0, ge=0, description="width of a hidden layer (0: linear)")


class RetrievalConfig(Settings):
    """The `retrieval` baseline: nearest noun by cosine to prompt-ensembled text embeddings."""

    temperature: float | None = Field(
        0.05, gt=0, description="turns cosines into probabilities, not ranks; null: fitted to held-out texts"
    )


class FusedConfig(Settings):
    """The `fused` predictor: other runs combined by a rule that is fitted to held-out texts."""

    parts: tuple[str, ...] = Field((), description="runs that are combined; a single one is calibrated")
    candidates: int = Field(12, ge=1, description="nouns that each part puts forward")
    texts: int = Field(1000, ge=5, description="most held-out texts that the rule is fitted to")


class GenerationConfig(Settings):
    """How nouns are read out of a decoder."""

    beam_width: int = Field(10, ge=1, description="hypotheses kept at each step; at most ten are written")
    guided: Literal["none", "plain", "renorm"] = Field(
        "plain", description="none: any tokens; plain: only nouns of the lexicon; renorm: the same, renormalised"
    )
    temperature: float = Field(1.0, gt=0, description="softmax temperature")
    length_alpha: float = Field(0.0, description="scores are divided by length to this power")

    @property
    def name(self) -> str:
        """Short name of the settings, the key of the predictions file: "beam_k10_vnone_gp_t1_a0"."""
        guide = {"none": "n", "plain": "p", "renorm": "r"}[self.guided]
        method = "greedy" if self.beam_width == 1 else "beam"
        return f"{method}_k{self.beam_width}_vnone_g{guide}_t{self.temperature:g}_a{self.length_alpha:g}"


class Recipe(Protocol):
    """What the training loop needs of the settings of a decoder or a head."""

    @property
    def noise(self) -> NoiseConfig: ...

    @property
    def training(self) -> TrainingConfig: ...

    @property
    def seed(self) -> int: ...


class DecoderTrainingSettings(Settings):
    """What a decoder's weights depend on, besides its training set."""

    decoder: DecoderConfig = DecoderConfig()
    noise: NoiseConfig = NoiseConfig()
    training: TrainingConfig = TrainingConfig()
    seed: int = Field(1, ge=0, description="seed of initialisation, sample order and noise")


class HeadTrainingSettings(Settings):
    """What a head's weights depend on, besides its training set."""

    head: HeadConfig = HeadConfig()
    noise: NoiseConfig = NoiseConfig()
    training: TrainingConfig = TrainingConfig()
    seed: int = Field(1, ge=0, description="seed of initialisation, sample order and noise")


class RetrievalSettings(Settings):
    """What an index depends on, besides its training set: vectors on nothing, the temperature on all of it."""

    retrieval: RetrievalConfig = RetrievalConfig()
    noise: NoiseConfig = NoiseConfig()
    seed: int = Field(1, ge=0, description="seed of the noise on the held-out texts")


class FusedSettings(Settings):
    """What a fused run's rule depends on, besides its parts and its training set."""

    fused: FusedConfig = FusedConfig()
    noise: NoiseConfig = NoiseConfig()
    seed: int = Field(1, ge=0, description="seed of the noise on the held-out texts")
