"""What is judged of an image: a run's nouns of it, the set of its tags, or the name of each of its boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from nounflow.schemas.decisions import Box, place_of
from nounflow.schemas.documents import read_document
from nounflow.schemas.predictions import Predictions, read_predictions
from nounflow.schemas.regions import RegionScores
from nounflow.schemas.tags import TagScores


class Question(NamedTuple):
    """Nouns that are judged of one thing, the best first."""

    file: str
    nouns: tuple[str, ...]
    box: Box | None = None
    several: bool = False

    @property
    def name(self) -> str:
        """What annotations call it: the file, with its box."""
        return name_of(self.file, self.box)

    def place(self, digest: str) -> str:
        """What a decision log calls it."""
        return place_of(digest, self.box, self.several)


@dataclass(frozen=True)
class NamedSet:
    """The tags of images (`tags`), or the names of their boxes (`regions`), as one run gave them."""

    kind: Literal["tags", "regions"]
    image_set: str  # tags-NAME or regions-NAME
    run: str
    questions: tuple[Question, ...]

    @property
    def samples(self) -> tuple[str, ...]:
        """Files, each once."""
        return tuple(dict.fromkeys(question.file for question in self.questions))


Said = Predictions | NamedSet


def name_of(file: str, box: Box | None) -> str:
    """A file, with the box that is meant."""
    return f"{file}#{'-'.join(map(str, box))}" if box else file


def read_said(path: Path, image_set: str = "") -> tuple[Said, ...]:
    """Predictions, or all sets of `results/tags.json` or `results/regions.json`, or one of them.

    Raises:
        NounflowError: it is none of them.
    """
    kind: Literal["tags", "regions"]
    if path.name == "tags.json":
        kind, images = "tags", read_document(TagScores, path, "scores of tags").examples
    elif path.name == "regions.json":
        kind, images = "regions", read_document(RegionScores, path, "scores of regions").named
    else:
        return (read_predictions(path),)
    found: dict[tuple[str, str], list[Question]] = {}
    for image in images:
        asked = found.setdefault((f"{kind}-{image.set}", image.run), [])
        if kind == "tags":
            asked.append(Question(image.file, tuple(tag.noun for tag in image.tags), several=True))
        for tag in image.tags if kind == "regions" else ():
            asked.append(Question(image.file, (tag.noun,), tuple(max(0, round(x)) for x in tag.box or ())))
    return tuple(
        NamedSet(kind, name, run, tuple(asked)) for (name, run), asked in found.items() if image_set in ("", name)
    )


def questions_of(document: Said, top_k: int) -> Iterator[Question]:
    """What a document asks; of predictions the first `top_k` nouns of each image and decoding."""
    if isinstance(document, NamedSet):
        yield from document.questions
        return
    for decoding in document.predictions.values():
        for file, nouns in zip(document.samples, decoding.pred, strict=True):
            yield Question(file, nouns[:top_k])
