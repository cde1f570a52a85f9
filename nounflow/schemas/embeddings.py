"""Shards of embeddings, of texts and of images."""

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
