"""The JSON files that pass between stages: one model each, checked when read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict

from nounflow.errors import DamagedFileError
from nounflow.files import read_json, write_json

Document = TypeVar("Document", bound=BaseModel)

CATEGORIES = ("correct_primary", "correct_secondary", "close_primary", "close_secondary", "incorrect")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputManifest(_Document):
    """results/inputs/{name}/manifest.json: where a fetched input came from. Written last."""

    name: str
    source: str  # how it was found: an installed folder, a package
    version: str
    licence: str
    folder: str  # where its files lie: relative to the manifest, or an installed folder
    files: dict[str, str]  # relative path -> sha256
    left_out: int = 0  # files of the source that are of no use here
    megabytes: float


class EmbedderIdentity(_Document):
    """What makes two vectors comparable. Another digest is refused; the rest says why."""

    spec: str  # how it was loaded: information, since a moved folder is the same embedder
    dim: int
    digest: str  # over everything but spec and versions
    weights: str  # sha256
    tokenizer: str  # sha256
    preprocessing: str  # text canonicalisation, padding, image transform, joining of towers: in words
    precision: str
    versions: dict[str, str] = {}  # of the libraries: information


class StoredFile(_Document):
    """One file of a shard, byte for byte."""

    bytes: int
    sha256: str


class ShardManifest(_Document):
    """{shard}.json beside {shard}.zarr: what a whole shard is. Written last."""

    embedder: EmbedderIdentity
    lexicon: str  # digest of the lexicon's nouns
    source: str  # caption source, or the image set
    start: int  # first row of the source in this shard
    rows: int
    dim: int
    dtype: Literal["float16", "int8"]
    texts: str  # sha256 over the shard's texts, or over its images' names and digests, in order
    batch_tokens: int
    computed: dict[str, str] = {}  # what else decides about a vector's last bits: machine, threads, versions, code
    parts: dict[str, StoredFile]  # every file of the array folder
    files: tuple[str, ...] = ()  # image embeddings only: file of each row
    unreadable: dict[str, str] = {}  # image embeddings only: file -> reason
    milliseconds: float | None = None  # image embeddings only: per image, decoding and encoding
    digest: str  # over everything above: the identity of the shard


class ShardReference(_Document):
    """A shard as a training set points at it."""

    path: str  # of the shard's manifest, relative to the training set's folder
    source: str
    rows: int
    digest: str  # of the shard's manifest


class TrainingSetManifest(_Document):
    """results/training_sets/.../manifest.json: an index over shards, no vectors."""

    embedder: EmbedderIdentity
    lexicon: str
    lexicon_path: str
    mixture: dict[str, float]
    shards: tuple[ShardReference, ...]
    samples: int
    heldout: int
    index_sha256: str


class PredictorManifest(_Document):
    """results/models/{run}/manifest.json beside weights.safetensors (fused: rule.json): any predictor."""

    run: str
    predictor: str
    embedder: EmbedderIdentity
    lexicon: str
    lexicon_path: str
    nouns: tuple[str, ...]  # display forms, by target id
    settings: dict[str, Any]  # the run's config
    tokens: dict[str, Any] = {}  # decoder only: compact vocabulary and each noun's token ids
    weights_sha256: str  # of weights.safetensors; fused: of rule.json
    parameters: int
    samples: int  # seen in training; 0: none, or not known
    metrics: dict[str, float] = {}  # last held-out figures
    versions: dict[str, str] = {}


class RulePart(_Document):
    """One of the predictors that a rule combines, as it was when the rule was fitted."""

    path: str  # of its manifest, relative to the rule's folder
    run: str
    predictor: str
    weights_sha256: str
    weight: float  # of its log-probabilities
    log_likelihood: float  # in cross-validation, under a rule of its own: mean over the texts
    top1: float  # likewise: share of the texts whose noun comes first


class FusedRule(_Document):
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


class Angles(_Document):
    """results/models/{run}/angles.json: how far noise turns text embeddings, and how far apart captions lie."""

    bins_deg: tuple[float, ...]  # edges, ascending, one more than there are counts
    noise: tuple[int, ...]  # an embedding and its noised version
    same_noun: tuple[int, ...]  # two captions of one noun
    different_noun: tuple[int, ...]  # captions of two nouns

    @pydantic.model_validator(mode="after")
    def _parallel(self) -> Angles:
        if any(len(counts) != len(self.bins_deg) - 1 for counts in (self.noise, self.same_noun, self.different_noun)):
            raise ValueError("each list of counts needs one entry a bin")
        return self


class DecodingPredictions(_Document):
    """Predictions under one decoding configuration; lists run parallel to `samples`."""

    gen_cfg: dict[str, Any]
    valid_guide: tuple[float, ...]  # percent of samples whose first 1, 2, ... k are all valid
    valid_vocab: tuple[float, ...]
    valid: tuple[float, ...]
    invalid: tuple[float, ...]
    pred: tuple[tuple[str, ...], ...]
    score: tuple[tuple[float, ...], ...]  # log-probabilities; retrieval: cosines
    probability: tuple[tuple[float, ...], ...]
    result: tuple[tuple[int, ...], ...]  # 0 correct, 1 in the guide list, 2 in the vocabulary, 3 neither


class Predictions(_Document):
    """results/predictions/{run}/{image_set}.json, the published layout and what it lacked."""

    version: int = 1
    model: str
    model_path: str
    model_dir: str
    model_name: str
    model_cfg: dict[str, Any]
    infer_cfg: dict[str, Any]
    guide_targets: tuple[str, ...]
    vocab_targets: tuple[str, ...]
    samples: tuple[str, ...]
    images: str = ""  # sha256 over the names and bytes of `samples`; empty: made elsewhere
    predictions: dict[str, DecodingPredictions]
    unreadable: dict[str, str]  # file -> reason: counted as wrong, never dropped
    milliseconds: float  # per image: decoding, encoding and predicting
    run: str
    predictor: str
    image_set: str


class Labels(_Document):
    """What is right for one image, from the image set's label file."""

    gold: str
    sense: str = ""  # sense key of gold, where given
    accepted: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()


class ImageAnnotations(_Document):
    """Judged nouns of one image, the published five lists."""

    correct_primary: tuple[str, ...] = ()
    correct_secondary: tuple[str, ...] = ()
    close_primary: tuple[str, ...] = ()
    close_secondary: tuple[str, ...] = ()
    incorrect: tuple[str, ...] = ()


class PeopleAgreement(_Document):
    """How far an annotator says what people say, on the pairs that both judged."""

    people: tuple[str, ...]  # names
    pairs: int
    share: float  # of the pairs: the same of the five categories
    kappa: float | None  # Cohen's, five categories; None where both used one and the same category only
    kappa_coarse: float | None  # correct, close and incorrect
    kappa_voting: float | None  # of the voting rule on the same pairs, were nothing calibrated
    held_out: bool  # each pair was judged by a calibration that was fitted without its picture
    confusion: dict[str, dict[str, int]]  # people's category -> the annotator's -> pairs


class Annotations(_Document):
    """results/annotations/{image_set}/{annotator}.json."""

    annotator: str
    rule: str  # version of the rule or model that judged
    image_set: str
    images: dict[str, ImageAnnotations]
    agreement: PeopleAgreement | None = None  # of a judge that was compared with people


def read_document(model: type[Document], path: Path, what: str) -> Document:
    """Read and check a JSON document; `what` names its role in messages."""
    try:
        return model.model_validate(read_json(path, what))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise DamagedFileError(
            f"The {what} does not have the expected form: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=path,
            fix="delete it and run its stage again",
        ) from error


def write_document(path: Path, document: BaseModel) -> None:
    """Write a document atomically."""
    write_json(path, document.model_dump(mode="json"))
