"""The files of guided classification."""

from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embedder_checks import Share


class ClassAnswers(StoredDocument):
    """One class: the nouns that are right for it, and how many first nouns were."""

    key: str
    name: str
    nouns: tuple[str, ...]
    correct: int
    n: int


class Classification(StoredDocument):
    """results/classification/{run}/{check_set}.json."""

    run: str
    predictor: str
    lexicon: str
    embedder: str
    check_set: str
    kind: str
    n: int  # images, unreadable ones included
    unreadable: int  # counted as wrong
    classes: int
    candidates: int  # nouns that the run answered from
    top1: Share
    top5: Share
    top1_mapped: Share | None  # over the images of classes that the lexicon can say
    unmapped: dict[str, str]  # key -> class name, that it cannot: their images are wrong
    per_class: tuple[ClassAnswers, ...]
