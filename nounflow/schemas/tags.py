"""What the tag stage leaves: a row for each set, method and protocol."""

from pydantic import Field

from nounflow.schemas.documents import StoredDocument

BASELINE = "zero_shot"  # what methods are compared with
FREE, GATED = "without a list", "without a list, gated"  # after a run's name
_TAILS = ("", "_low", "_high")
_SETS = ("_3", "_5", "_cut")  # the best 3 or 5 labels, and those above a threshold
FIGURES = (  # columns of results/tags.tsv, in percent but for the threshold; _minus: less zero_shot
    *(f"map{tail}" for tail in _TAILS),
    "map_all",
    *(f"{name}{cut}" for cut in _SETS for name in ("p", "r")),
    *(f"f1{cut}{tail}" for cut in _SETS for tail in _TAILS),
    "threshold",
    *(f"{name}_minus{tail}" for name in ("map", *(f"f1{cut}" for cut in _SETS)) for tail in _TAILS),
)


class TagRow(StoredDocument):
    """One row; see docs/tags.md for the figures."""

    set: str
    embedder: str
    local: str
    method: str
    needs: str
    protocol: str
    images: int
    labels: int
    figures: dict[str, float]
    each: dict[str, float] = Field(default_factory=dict)  # label -> its average precision, of labels with positives


class NamedNoun(StoredDocument):
    """A noun with the box that it is the name of, or that speaks most for it (none: the whole image)."""

    noun: str
    score: float
    box: tuple[float, float, float, float] | None = None  # x0, y0, x1, y1 in pixels


class NamedImage(StoredDocument):
    """What a run calls the things in an image, without a list."""

    set: str
    run: str
    file: str
    tags: tuple[NamedNoun, ...]


class TagScores(StoredDocument):
    """results/tags.json: all rows of results/tags.tsv, and what was wrong with the label files."""

    rows: tuple[TagRow, ...]
    problems: dict[str, tuple[str, ...]]  # set -> in words
    seen: dict[str, int]  # set -> labels that training may see
    examples: tuple[NamedImage, ...] = ()  # nouns without a list, of all images of the split test
