"""The files that embedder checks leave behind."""

from typing import Literal

from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embeddings import EmbedderIdentity


class CheckSet(StoredDocument):
    """results/check_sets/{check_set}.json: which images are looked at, and what each shows."""

    name: str
    kind: str
    folder: str  # where the images lie
    classes: dict[str, str]  # key (folder name, WordNet id) -> class name; two classes may share a name
    files: dict[str, str]  # image below the folder -> key of its class


class Share(StoredDocument):
    """So many of so many, with a 95 % Wilson interval."""

    correct: int
    n: int
    value: float
    low: float
    high: float


class ClassAccuracy(StoredDocument):
    """Top-1 accuracy on the images of one class."""

    key: str
    name: str
    top1: Share


class Confusion(StoredDocument):
    """Images of one class that were taken for another."""

    gold: str
    predicted: str
    n: int
    share: float  # of the images of the class


class Expectation(StoredDocument):
    """A published top-1 accuracy beside the measured one, as fractions."""

    top1: float
    difference: float  # measured - published
    tolerance: float  # half a 95 % interval of a sample of this size
    verdict: Literal["as expected", "lower than expected", "higher than expected"]
    prompts: str  # with which it was published
    source: str
    note: str  # what else may explain a difference


class EmbedderCheck(StoredDocument):
    """results/embedder_checks/{embedder}/{check_set}.json."""

    embedder: EmbedderIdentity
    check_set: str
    kind: str
    n: int  # images, unreadable ones included
    unreadable: int  # counted as wrong
    prompts: str
    prompts_per_class: int
    top1: Share
    top5: Share
    per_class: tuple[ClassAccuracy, ...]
    confusions: tuple[Confusion, ...]  # most frequent first
    expectation: Expectation | None
    no_expectation: str  # why there is none


class AngleStatistics(StoredDocument):
    """Angles between pairs of unit vectors, in degrees."""

    pairs: int
    mean: float
    std: float
    median: float
    low: float  # 5 % are smaller
    high: float  # 5 % are larger
    histogram: tuple[int, ...]  # 360 bins of half a degree from 0 to 180


class TextGap(StoredDocument):
    """Images against one kind of text that belongs to them."""

    texts: int  # distinct
    images: int  # that have such a text
    matched: AngleStatistics  # an image and its own text
    all_pairs: AngleStatistics  # every image and every text
    text_text: AngleStatistics | None  # two different texts; None if there is only one
    mean_shift: tuple[float, ...]  # mean image embedding - mean of the images' own texts
    mean_shift_norm: float
    explained: float  # |mean shift|^2 / mean squared distance of matched pairs
    matched_after_shift: AngleStatistics  # with the shift added to each text, at unit length again


class ModalityGap(StoredDocument):
    """results/modality_gap/{embedder}/{image_set}.json."""

    embedder: EmbedderIdentity
    image_set: str
    images: int
    prompts: str
    nouns: TextGap  # the gold noun, mean over the prompts
    captions: TextGap | None  # one caption an image, where the image set has captions
    image_image: AngleStatistics | None  # two different images; None if there is only one
    noise: AngleStatistics | None  # a noun's text and its noised version
    noise_scheme: str  # "" without noise
