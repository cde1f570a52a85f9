"""What training leaves beside the weights."""

from typing import Any

import pydantic
from pydantic import Field

from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embeddings import EmbedderIdentity


class PredictorManifest(StoredDocument):
    """results/models/{run}/manifest.json beside weights.safetensors (fused: rule.json): any predictor."""

    run: str
    predictor: str
    embedder: EmbedderIdentity
    lexicon: str
    lexicon_path: str
    nouns: tuple[str, ...]  # display forms, by target id
    settings: dict[str, Any]  # the run's config
    tokens: dict[str, Any] = Field(default_factory=dict)  # decoder only: compact vocabulary and each noun's token ids
    weights_sha256: str  # of weights.safetensors; fused: of rule.json
    parameters: int
    samples: int  # seen in training; 0: none, or not known
    metrics: dict[str, float] = Field(default_factory=dict)  # last held-out figures
    versions: dict[str, str] = Field(default_factory=dict)


class RulePart(StoredDocument):
    """One of the predictors that a rule combines, as it was when the rule was fitted."""

    path: str  # of its manifest, relative to the rule's folder
    run: str
    predictor: str
    weights_sha256: str
    weight: float  # of its log-probabilities
    log_likelihood: float  # in cross-validation, under a rule of its own: mean over the texts
    top1: float  # likewise: share of the texts whose noun comes first


class FusedRule(StoredDocument):
    """results/models/{run}/rule.json: how a fused predictor combines its parts, and what that was fitted on."""

    parts: tuple[RulePart, ...]
    none: float  # log of what "none of the candidates" weighs
    candidates: int  # nouns that each part puts forward
    training_set: str  # sha256 of the index whose held-out texts the rule was fitted on
    noise: dict[str, Any]  # on their embeddings
    seed: int  # of the noise
    texts: int  # held-out texts of one noun
    log_likelihood: float  # in cross-validation: mean over the texts
    top1: float


class Angles(StoredDocument):
    """results/models/{run}/angles.json: how far noise turns text embeddings, and how far apart captions lie."""

    bins_deg: tuple[float, ...]  # edges, ascending, one more than there are counts
    noise: tuple[int, ...]  # an embedding and its noised version
    same_noun: tuple[int, ...]  # two captions of one noun
    different_noun: tuple[int, ...]  # captions of two nouns

    @pydantic.model_validator(mode="after")
    def _parallel(self) -> "Angles":
        if any(len(counts) != len(self.bins_deg) - 1 for counts in (self.noise, self.same_noun, self.different_noun)):
            raise ValueError("each list of counts needs one entry a bin")
        return self
