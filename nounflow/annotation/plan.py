"""What people are asked, and in which order: what decides between runs first, then what many runs say."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nounflow.errors import NounflowError
from nounflow.schemas.decisions import asked_at
from nounflow.schemas.named import Said, name_of, questions_of


class Ask(NamedTuple):
    """A noun to be judged on a picture."""

    noun: str
    value: float  # sum over runs of 1 / rank
    disputed: bool  # the first noun of some run, and not of all


class Task(NamedTuple):
    """A picture, or a box of it, and its nouns, the most valuable first."""

    image: str  # a place of the decision log: the picture's sha256, and the box or that a set is meant
    files: tuple[str, ...]  # several where files are the same byte for byte
    asks: tuple[Ask, ...]

    @property
    def disputed(self) -> bool:
        """Whether the runs differ in their first noun."""
        return any(ask.disputed for ask in self.asks)

    @property
    def names(self) -> tuple[str, ...]:
        """What annotations call it."""
        return tuple(name_of(file, asked_at(self.image).get("box")) for file in self.files)


def plan_tasks(predictions: Sequence[Said], top_k: int, digests: Mapping[str, str]) -> list[Task]:
    """All that any run named, in the order of asking: depends on predictions and pictures alone.

    Args:
        top_k: how many nouns of each run (and decoding) are asked about.
        digests: file -> sha256; pictures without one are left out.

    Raises:
        NounflowError: no picture is left to be judged.
    """
    said: dict[str, list[tuple[str, ...]]] = {}  # place -> what each run says
    files: dict[str, dict[str, None]] = {}
    for question in (question for document in predictions for question in questions_of(document, top_k)):
        if question.file in digests:
            place = question.place(digests[question.file])
            said.setdefault(place, []).append(question.nouns)
            files.setdefault(place, {})[question.file] = None
    tasks = [Task(image, tuple(sorted(files[image])), _asks(answers)) for image, answers in said.items()]
    tasks = [task for task in tasks if task.asks]
    if not tasks:
        raise NounflowError("No picture that a run named could be found", fix="check the image folder")
    return sorted(
        tasks, key=lambda task: (not task.disputed, -sum(ask.value for ask in task.asks), task.files, task.image)
    )


def in_second_pass(image: str, share: float) -> bool:
    """Whether a picture is among the share that two people judge: by its digest, so the same wherever it is asked."""
    drawn = hashlib.sha256(f"second pass {image}".encode()).digest()
    return int.from_bytes(drawn[:8]) < share * 2**64


def scored_pairs(document: Said, digests: Mapping[str, str]) -> set[tuple[str, str]]:
    """(place, noun) of all that a run's score is made from: of predictions the first noun of every picture."""
    asked = [one for one in questions_of(document, 1) if one.file in digests]
    return {(one.place(digests[one.file]), noun) for one in asked for noun in one.nouns}


def places(documents: Iterable[Said], digests: Mapping[str, str]) -> dict[str, str]:
    """What annotations call each thing that is judged -> its place in the decision log."""
    asked = (one for document in documents for one in questions_of(document, 1) if one.file in digests)
    return {one.name: one.place(digests[one.file]) for one in asked}


def _asks(answers: Iterable[Sequence[str]]) -> tuple[Ask, ...]:
    values: dict[str, float] = {}
    firsts = {nouns[0] for nouns in answers if nouns}
    for nouns in answers:
        for rank, noun in enumerate(nouns, 1):
            values[noun] = values.get(noun, 0.0) + 1 / rank
    asks = (Ask(noun, value, noun in firsts and len(firsts) > 1) for noun, value in values.items())
    return tuple(sorted(asks, key=lambda ask: (not ask.disputed, -ask.value, ask.noun)))
