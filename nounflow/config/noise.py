"""Noise on text embeddings: its schemes, and what shapes them."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from nounflow.config.base import OneOf, Settings
from nounflow.registry import Registry


class NoiseScheme(NamedTuple):
    """One way to perturb embeddings."""

    place: str  # "nounflow.module:function", see `nounflow.training.noise.Scheme`
    keys: tuple[str, ...] = ()  # settings that shape it
    draws_from: Literal["", "angles", "covariance"] = ""  # what must have been measured


SCHEMES: Registry[NoiseScheme] = {
    "none": NoiseScheme("nounflow.training.noise:none"),
    "gauss_elem": NoiseScheme("nounflow.training.noise:gauss_elem", ("norm",)),
    "gauss_vec": NoiseScheme("nounflow.training.noise:gauss_vec", ("norm",)),
    "gauss_angle": NoiseScheme("nounflow.training.noise:gauss_angle", ("angle_std", "angle_max")),
    "uniform_angle": NoiseScheme("nounflow.training.noise:uniform_angle", ("angle_min", "angle_max")),
    "gauss_elem_uniform_angle": NoiseScheme(
        "nounflow.training.noise:gauss_elem_uniform_angle", ("norm", "angle_min", "angle_max", "mix_ratio")
    ),
    "gap": NoiseScheme("nounflow.training.noise:gap", draws_from="angles"),
    "covariance": NoiseScheme("nounflow.training.noise:covariance", ("norm", "rank"), draws_from="covariance"),
}


class NoiseConfig(Settings):
    """Noise on the unit text embedding in training: schemes of the NOVIC paper, section 3, and some that it lacks."""

    scheme: Annotated[str, OneOf(SCHEMES)] = Field("gauss_elem", description="how an embedding is perturbed")
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
    def draws_from(self) -> Literal["", "angles", "residuals", "texts"]:
        """What the scheme needs to have been measured, if anything."""
        needed = SCHEMES[self.scheme].draws_from
        return self.covariance if needed == "covariance" else needed

    @property
    def needs_images(self) -> bool:
        """Whether the gap between images and texts has to be measured."""
        return self.draws_from in ("angles", "residuals") or self.shift != "none"

    @property
    def described(self) -> str:
        """The scheme and what shapes it: "gauss_elem, norm 0.6"."""
        scheme = SCHEMES[self.scheme]
        words = [self.scheme, *(f"{name} {getattr(self, name):g}" for name in scheme.keys)]
        if scheme.draws_from == "covariance":
            words.append(f"of {self.covariance}")
        if self.shift != "none":
            words.append(f"shift of {self.shift}")
        if self.schedule != "constant":
            words.append(f"{self.schedule} {self.schedule_start:g} to {self.schedule_end:g}")
        return ", ".join(words)

    @model_validator(mode="after")
    def _whole(self) -> "NoiseConfig":
        if "angle_min" in SCHEMES[self.scheme].keys and self.angle_min >= self.angle_max:
            raise ValueError(f"angle_min ({self.angle_min:g}) must be below angle_max ({self.angle_max:g})")
        if self.needs_images and self.images is None:
            raise ValueError("scheme gap, covariance of residuals and shift need `images`, the name of an image set")
        return self
