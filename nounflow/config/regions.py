"""Regions: where boxes come from, what is detected and how it is tested. No part of the main job."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, model_validator

from nounflow.config.base import HomePath, OneOf, Settings
from nounflow.config.check_set import Templates
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.tags import ScenesConfig
from nounflow.registry import Registry

if TYPE_CHECKING:
    from nounflow.config.experiment import Config


class ProposalKind(NamedTuple):
    """A source of boxes."""

    load: str  # place: `load(ProposalsConfig, device) -> ProposalSource`
    min_objectness: float  # from which on a box is retrieved, where the config does not say
    why: str
    needs: tuple[str, ...] = ()  # keys that have to be given


PROPOSAL_SOURCES: Registry[ProposalKind] = {
    "selective_search": ProposalKind(
        "nounflow.regions.selective_search:load", 0.2, "its objectness, contrast and size, is below 0.5 for most things"
    ),
    "rpn": ProposalKind("nounflow.regions.rpn:load", 0.5, "the published cut", ("weights",)),
    "owlv2": ProposalKind("nounflow.regions.owlv2:load", 0.1, "few of its boxes reach more", ("weights",)),
    "file": ProposalKind("nounflow.regions.proposal_files:load", 0.5, "the published cut", ("file",)),
}


class ProposalsConfig(Settings):
    """Where boxes come from, whatever is in them."""

    source: Annotated[str, OneOf(PROPOSAL_SOURCES)] = Field("selective_search", description="what proposes boxes")
    file: HomePath | None = Field(None, description="of `file`: COCO JSON or parquet with the boxes")
    weights: HomePath | None = Field(
        None,
        description="of `rpn`: a state dict (safetensors, or .pth with tensors only); of `owlv2`: a model's folder",
    )
    model: str = Field(
        "fasterrcnn_resnet50_fpn_v2", description="of `rpn`: the detector of torchvision that the weights belong to"
    )
    per_image: int = Field(100, ge=1, description="most boxes of an image, the likeliest objects first")
    embedded: int | None = Field(
        None, ge=1, description="most boxes of an image that are embedded, twice each; null: all of them"
    )
    nms_iou: float = Field(0.6, gt=0, le=1, description="of two boxes that overlap more the likelier one stays")
    min_side: float = Field(8, ge=1, description="pixels; narrower boxes are left out")

    @model_validator(mode="after")
    def _complete(self) -> ProposalsConfig:
        for key in PROPOSAL_SOURCES[self.source].needs:
            if getattr(self, key) is None:
                raise ValueError(f"`source: {self.source}` needs `{key}`")
        return self


class RetrievalConfig(Settings):
    """Which boxes stand for a name that nobody has drawn boxes for."""

    most: int = Field(100, ge=1, description="boxes that are most like the name")
    min_objectness: float | None = Field(
        None, ge=0, le=1, description="least objectness of such a box; null: what suits the source of the boxes"
    )
    dedup_iou: float | None = Field(
        0.5, gt=0, le=1, description="of two boxes of one image that overlap more only the better is taken; null: both"
    )
    per_image: int | None = Field(None, ge=1, description="most boxes of an image; null: any number")


class ProbeConfig(Settings):
    """The sigmoid linear classifier of each name."""

    positive_iou: float = Field(0.5, gt=0, le=1, description="overlap with a pseudo box that makes a positive")
    negatives: int = Field(10, ge=1, description="negatives of the same image for each positive, drawn by the seed")
    background: int = Field(
        1000,
        ge=0,
        description="further negatives of each name, drawn from all images that are learnt from; published: 0",
    )
    alpha: float = Field(0.25, gt=0, lt=1, description="focal loss: weight of positives")
    gamma: float = Field(2.0, ge=0, description="focal loss: how much sure answers are played down")
    decay: float = Field(1e-4, ge=0, description="half of this times the squared weights is added to the loss")
    iterations: int = Field(100, ge=1, description="of L-BFGS, over all samples of a name at once")
    quality: bool = Field(True, description="with base boxes: add an estimate of a box's fit that is learnt from them")


class FusionConfig(Settings):
    """How probe, similarity and objectness make a score."""

    novel_share: float = Field(0.8, ge=0, le=1, description="exponent of the probe for novel names")
    base_share: float = Field(1.0, ge=0, le=1, description="exponent of the probe for base names")
    temperature: float | Literal["auto"] = Field(
        "auto", description="of the softmax over names; auto: that of retrieval with this embedder"
    )
    min_score: float = Field(0.05, ge=0, lt=1, description="least score of a detection")
    nms_iou: float = Field(0.5, gt=0, le=1, description="of two boxes of one name that overlap more the better stays")
    most: int = Field(100, ge=1, description="most detections of an image")


class RegionsTestConfig(Settings):
    """Images with boxes, and which of their names count as novel."""

    source: Literal["scenes"] | None = Field(None, description="scenes: composed here, see `scenes` of `regions`")
    folder: HomePath | None = Field(None, description="a folder of images (searched with its sub-folders)")
    boxes: HomePath | None = Field(
        None, description="with `folder`: COCO JSON; images may name a `split`, train or test"
    )
    novel: tuple[str, ...] = Field(
        (), description="names without boxes; none: drawn by the seed of those in both parts"
    )
    base: tuple[str, ...] = Field((), description="names whose boxes are known; none: the others with boxes in both")
    novel_share: float = Field(0.3, gt=0, le=1, description="share of the names that is drawn as novel")
    learnt_share: float = Field(
        0.5, gt=0, lt=1, description="share of the images that is learnt from, where they name no splits"
    )
    most: int | None = Field(None, ge=1, description="most images that are learnt from, and that are scored; null: all")
    transductive: bool = Field(False, description="retrieve from the scored images, too; the table says so")

    @model_validator(mode="after")
    def _whole(self) -> RegionsTestConfig:
        if both := sorted(set(self.novel) & set(self.base)):
            raise ValueError(f"{', '.join(both)}: base and novel names overlap")
        if twice := sorted(name for name, n in Counter((*self.novel, *self.base)).items() if n > 1):
            raise ValueError(f"{', '.join(twice)}: listed twice")
        if (self.source is None) == (self.folder is None):
            raise ValueError("give either `source` or `folder`")
        if (self.boxes is None) != (self.folder is None):
            raise ValueError("`folder` and `boxes` go together; scenes bring their boxes")
        return self


class RegionCase(BaseModel):
    """One test of one run, and its files, as a command line takes it."""

    test: str
    run: str
    probe: Path
    view: Path
    proposals: Path
    boxes: Path
    folder: str  # of the images, or a manifest
    predictor: Path
    embedder: EmbedderConfig
    detections: Path  # folder: results in COCO's form, a file for each way


class RegionsConfig(Settings):
    """Detection: docs/regions.md; no part of the main job."""

    proposals: ProposalsConfig = ProposalsConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    probe: ProbeConfig = ProbeConfig()
    fusion: FusionConfig = FusionConfig()
    prompts: Templates = Field(("{}",), description="what a name is embedded as; their mean")
    runs: tuple[str, ...] = Field(
        (), description="runs that name boxes freely, and whose embedders see; none: the first"
    )
    scenes: ScenesConfig = ScenesConfig(count=300, photos="resources/image_sets/photos_repeated.tsv")
    tests: dict[str, RegionsTestConfig] = Field(default_factory=dict, description="what detection is scored on")
    seed: int = Field(1, ge=0, description="of draws of novel names, of images to retrieve from, of negatives")

    def settled_retrieval(self) -> RetrievalConfig:
        """With the least objectness that suits the source of the boxes, where none is said."""
        said, source = self.retrieval.min_objectness, PROPOSAL_SOURCES[self.proposals.source]
        return self.retrieval.model_copy(update={"min_objectness": source.min_objectness if said is None else said})

    def check(self, config: Config) -> None:
        """Do the names exist?

        Raises:
            ValueError: one does not; the message begins with its key.
        """
        from nounflow.config.runs.run import one_of

        for run in self.runs:
            one_of("regions.runs", run, config.runs)
        for name in self.tests:
            if name in config.image_sets or name in config.check_sets:
                raise ValueError(
                    f"regions.tests.{name}: an image set has this name too, and their results share a folder"
                )
