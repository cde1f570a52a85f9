"""Shards of embeddings, of texts and of images; training sets over them, and how far images lie from their texts."""

from typing import Literal

from pydantic import Field

from nounflow.schemas.documents import StoredDocument


class EmbedderIdentity(StoredDocument):
    """What makes two vectors comparable. Another digest is refused; the rest says why."""

    spec: str  # how it was loaded: information, since a moved folder is the same embedder
    dim: int
    digest: str  # over everything but spec and versions
    weights: str  # sha256
    tokenizer: str  # sha256
    preprocessing: str  # text canonicalisation, padding, image transform, joining of towers: in words
    precision: str
    versions: dict[str, str] = Field(default_factory=dict)  # of the libraries: information
    # What the tower multiplies cosines with, part of its weights: information. Left out where there is none, so that
    # the seals of manifests without it stand.
    logit_scale: float | None = Field(None, exclude_if=lambda value: value is None)


class StoredFile(StoredDocument):
    """One file of a shard, byte for byte."""

    bytes: int
    sha256: str


class ShardManifest(StoredDocument):
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
    computed: dict[str, str] = Field(
        default_factory=dict
    )  # what else decides about a vector's last bits: machine, threads, versions, code
    parts: dict[str, StoredFile]  # every file of the array folder
    files: tuple[
        str, ...
    ] = ()  # image embeddings only: the images in order, one row each, or one row a box (`read_boxes`)
    unreadable: dict[str, str] = Field(default_factory=dict)  # image embeddings only: file -> reason
    milliseconds: float | None = None  # image embeddings only: per image, decoding and encoding
    digest: str  # over everything above: the identity of the shard


class ShardReference(StoredDocument):
    """A shard as a training set points at it."""

    path: str  # of the shard's manifest, relative to the training set's folder
    source: str
    rows: int
    digest: str  # of the shard's manifest


class TrainingSetManifest(StoredDocument):
    """results/training_sets/.../manifest.json: an index over shards, no vectors."""

    embedder: EmbedderIdentity
    lexicon: str
    lexicon_path: str
    mixture: dict[str, float]
    shards: tuple[ShardReference, ...]
    samples: int
    heldout: int
    index_sha256: str
    digest: str = ""  # over everything above


class ImageTextGap(StoredDocument):
    """results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.json."""

    embedder: EmbedderIdentity
    training_set: str  # sha256 of its index
    image_set: str
    images: int
    texts: int  # of the training split, among which each image's nearest was looked for
    angles: tuple[float, ...]  # quantiles, evenly spaced from least to greatest, in degrees: image to nearest text
    angle_mean: float
    angle_std: float
    shift: tuple[float, ...]  # [dim], mean image - mean of the images' nearest texts
    shift_norm: float
    image_mean: tuple[float, ...] = ()  # [dim]
    text_mean: tuple[float, ...] = ()  # [dim], of all those texts
    residual_norm: float  # root mean square length of image - nearest text - shift
    axes: tuple[tuple[float, ...], ...]  # [axes, dim] of these residuals, each as long as its standard deviation
    variances: tuple[float, ...]  # [dim] of these residuals
