"""Labelled images on which embedders are checked."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from nounflow.config.base import HomePath, Settings

Kind = Literal[
    "cifar10", "cifar100", "food101", "imagenette", "imagewoof", "imagenet", "imagenet_a", "imagenet_r", "folder"
]


def _one_place(prompts: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(prompts, tuple):
        if not prompts:
            raise ValueError("at least one prompt is needed")
        for prompt in prompts:
            if prompt.count("{}") != 1 or set(prompt.replace("{}", "")) & set("{}"):
                raise ValueError(f"{prompt!r} needs exactly one {{}}, where the class name goes")
    return prompts


Templates = Annotated[tuple[str, ...], AfterValidator(_one_place)]
Prompts = Annotated[Literal["imagenet80", "imagenet7"] | tuple[str, ...], AfterValidator(_one_place)]
Percent = Annotated[float, Field(gt=0, le=100)]


class CheckSetConfig(Settings):
    """Labelled images of yours for zero-shot checks of embedders; docs/embedder_checks.md shows each layout."""

    kind: Kind = Field(
        description="layout: cifar10, cifar100, food101, imagenette, imagewoof, imagenet, imagenet_a, imagenet_r, "
        "or folder (a folder of images a class)"
    )
    folder: HomePath = Field(description="where the set was unpacked")
    labels: HomePath | None = Field(
        None, description="imagenet whose images all lie in one folder: file with a name and a WordNet id a line"
    )
    classes: dict[str, str] = Field(
        default_factory=dict, description="class names, by folder name or WordNet id, in place of the usual ones"
    )
    prompts: Prompts = Field(
        "imagenet80", description="imagenet80 or imagenet7 (shipped by open_clip), or a list of texts with one {} each"
    )
    expected: dict[str, Percent] = Field(
        default_factory=dict,
        description="published top-1 accuracy in percent, by name of the embedder, where the shipped table has none",
    )

    @model_validator(mode="after")
    def _labels_where_used(self) -> "CheckSetConfig":
        if self.labels is not None and self.kind != "imagenet":
            raise ValueError(f"`labels` is for kind imagenet; {self.kind} finds its labels in the folder")
        return self
