"""`auto`: what the config does not say is chosen by what the embedder is (docs/decoder.md). What it says stands.

The choices are settled when a config is read, so that jobs and their params see values only.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pydantic

from nounflow.config.embedder import FAMILIES
from nounflow.config.noise import NoiseConfig
from nounflow.registry import Registry


class Choice(NamedTuple):
    """What suits a kind of embedder."""

    noise: Mapping[str, Any]
    temperature: float | Literal["tower"]  # of `retrieval`
    why: str


CHOICES: Registry[Choice] = {
    "bundled": Choice(
        noise={"scheme": "gauss_elem", "norm": 0.6, "schedule": "linear"},
        temperature=0.05,
        why="images of `bundled` are means of texts, so there is hardly a gap; noise that rises is learnt sooner",
    ),
    "contrastive": Choice(
        noise={
            "scheme": "gauss_elem_uniform_angle",
            "norm": 3.25,
            "angle_min": 45.0,
            "angle_max": 75.0,
            "mix_ratio": 0.15,
            "schedule": "linear",
        },
        temperature="tower",
        why="the published recipe for contrastive image-text towers (NOVIC, WACV 2025), rising from none, under which "
        "a training much shorter than the published one gets further",
    ),
}


def choice_for(spec: str) -> Choice:
    """What suits the embedder that a spec names."""
    family = FAMILIES.get(spec.partition(":")[0])
    return CHOICES[family.suits if family else "contrastive"]


def settled_noise(noise: NoiseConfig, spec: str) -> NoiseConfig:
    """A noise with all that was not said filled in.

    Images without a scheme or a shift that would use them are there to measure the gap. A scheme that is named has the
    schedule that is named with it, or none.

    Raises:
        ValueError: what was said does not go with what is chosen, such as a least angle above the greatest.
    """
    chosen = {"scheme": "gap"} if _measures(noise) else choice_for(spec).noise
    said = noise.model_fields_set | ({"schedule"} if "scheme" in noise.model_fields_set else set())
    unsaid = {key: value for key, value in chosen.items() if key not in said}
    try:
        return NoiseConfig.model_validate({**noise.model_dump(), **unsaid})
    except pydantic.ValidationError as error:
        reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise ValueError(f"{reason}; chosen by `auto`: {unsaid}") from None


def _measures(noise: NoiseConfig) -> bool:
    return "scheme" not in noise.model_fields_set and noise.images is not None and noise.shift == "none"


def why_noise(noise: NoiseConfig, spec: str) -> str:
    """Why a settled noise is as it is."""
    auto = settled_noise(NoiseConfig(), spec)
    if noise.described == auto.described:
        return f"auto: {choice_for(spec).why}"
    if noise.scheme == "gap":
        return f"the angles between the images of {noise.images} and their nearest texts"
    return f"set in the config; auto would be {auto.described}"
