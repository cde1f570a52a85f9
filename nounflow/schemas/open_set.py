"""What the open-set stage leaves: banks of nouns, gates, and what was compared."""

from __future__ import annotations

from typing import Any

from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embeddings import EmbedderIdentity


class BankManifest(StoredDocument):
    """results/open_set/{embedder}/bank.json beside bank.safetensors: nouns and images that show none."""

    embedder: EmbedderIdentity
    lexicon: str  # digest of the lexicon that negatives are chosen from
    nouns: tuple[str, ...]  # the first `candidates` of them are that lexicon's
    candidates: int
    above: tuple[tuple[str, ...], ...]  # of each noun: synsets of its first meaning and of all above it
    names: tuple[bool, ...]  # is it the name of a single thing?
    kinds: tuple[str, ...]  # WordNet class of each of the first `candidates`
    prompts: tuple[str, ...]
    patterns: tuple[str, ...]  # what the images that show no noun are
    weights_sha256: str = ""


class GateManifest(StoredDocument):
    """results/models/{run}/gate.json: a score, its threshold, and what that was fitted on."""

    run: str
    embedder: EmbedderIdentity
    lexicon: str  # digest of the run's nouns
    score: str
    threshold: float  # an image is accepted from here on
    keep: float  # share of known images that was aimed at
    quantiles: tuple[float, ...]  # of what it was fitted on, 0 to 100 %: thresholds for other shares
    fitted_on: str  # in words
    guarantee: str  # in words; empty: none
    images: int  # or texts, that it was fitted on
    settings: dict[str, Any]  # `open_set` of the config: negatives, background, seed
    noise: dict[str, Any]  # under which thresholds of class lists are fitted
    bank: str  # path of its manifest, from this file's folder
    bank_sha256: str  # of its vectors
    no: str = ""  # path of the no-model, likewise
    no_sha256: str = ""


class Measured(StoredDocument):
    """A measure: its mean over draws, the 95 % interval over images, and the spread over draws."""

    value: float
    low: float
    high: float
    spread: float = 0.0  # standard deviation over draws of nouns


class OpenSetRow(StoredDocument):
    """A row of results/open_set.tsv: one score on one kind of unknown images, or on a run's own answers."""

    test: str
    run: str  # whose answers are judged; empty: a class list is given, and the embedder decides alone
    embedder: str
    method: str
    unknown: str  # near, far, farthest ...; wrong: the run's wrong answers
    known_images: float  # mean over draws
    unknown_images: float
    draws: int
    measures: dict[str, Measured]


class Histogram(StoredDocument):
    """How known and unknown images score, in one draw."""

    test: str
    run: str
    method: str
    edges: tuple[float, ...]
    counts: dict[str, tuple[int, ...]]  # known, near, far, farthest -> images in each bin


class Fooled(StoredDocument):
    """An unknown image that a score took for known: it scored above all but `above` of the known ones."""

    test: str
    run: str
    method: str
    file: str
    gold: str
    called: str
    above: float  # share of known images that scored lower


class OpenSetResults(StoredDocument):
    """results/open_set.json: what stands behind the table."""

    rows: tuple[OpenSetRow, ...]
    histograms: tuple[Histogram, ...]
    fooled: tuple[Fooled, ...]
    notes: tuple[str, ...]  # what was left out, and why
