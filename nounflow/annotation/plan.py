"""What people are asked, and in which order: what decides between runs first, then what many runs say."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nounflow.errors import NounflowError
from nounflow.schemas.predictions import Predictions


class Ask(NamedTuple):
    """A noun to be judged on a picture."""

    noun: str
    value: float  # sum over runs of 1 / rank
    disputed: bool  # the first noun of some run, and not of all


class Task(NamedTuple):
    """A picture and its nouns, the most valuable first."""

    image: str  # sha256
    files: tuple[str, ...]  # several where files are the same byte for byte
    asks: tuple[Ask, ...]

    @property
    def disputed(self) -> bool:
        """Whether the runs differ in their first noun."""
        return any(ask.disputed for ask in self.asks)


def plan_tasks(predictions: Sequence[Predictions], top_k: int, digests: Mapping[str, str]) -> list[Task]:
    """All pictures that any run named, in the order of asking: depends on predictions and pictures alone.

    Args:
        top_k: how many nouns of each run (and decoding) are asked about.
        digests: file -> sha256; pictures without one are left out.

    Raises:
        NounflowError: no picture is left to be judged.
    """
    said: dict[str, list[tuple[str, ...]]] = {}  # sha256 -> what each run says
    files: dict[str, dict[str, None]] = {}
    for document in predictions:
        for decoding in document.predictions.values():
            for file, nouns in zip(document.samples, decoding.pred, strict=True):
                if file in digests:
                    said.setdefault(digests[file], []).append(nouns[:top_k])
                    files.setdefault(digests[file], {})[file] = None
    tasks = [Task(image, tuple(sorted(files[image])), _asks(answers)) for image, answers in said.items()]
    tasks = [task for task in tasks if task.asks]
    if not tasks:
        raise NounflowError("No picture that a run named could be found", fix="check the image folder")
    return sorted(tasks, key=lambda task: (not task.disputed, -sum(ask.value for ask in task.asks), task.files))


def in_second_pass(image: str, share: float) -> bool:
    """Whether a picture is among the share that two people judge: by its digest, so the same wherever it is asked."""
    drawn = hashlib.sha256(f"second pass {image}".encode()).digest()
    return int.from_bytes(drawn[:8]) < share * 2**64


def first_nouns(document: Predictions, digests: Mapping[str, str]) -> set[tuple[str, str]]:
    """(sha256, noun) of every picture's first noun, which a run's prediction score is made from."""
    decodings = document.predictions.values()
    named = (
        (file, nouns) for decoding in decodings for file, nouns in zip(document.samples, decoding.pred, strict=True)
    )
    return {(digests[file], nouns[0]) for file, nouns in named if nouns and file in digests}


def _asks(answers: Iterable[Sequence[str]]) -> tuple[Ask, ...]:
    values: dict[str, float] = {}
    firsts = {nouns[0] for nouns in answers if nouns}
    for nouns in answers:
        for rank, noun in enumerate(nouns, 1):
            values[noun] = values.get(noun, 0.0) + 1 / rank
    asks = (Ask(noun, value, noun in firsts and len(firsts) > 1) for noun, value in values.items())
    return tuple(sorted(asks, key=lambda ask: (not ask.disputed, -ask.value, ask.noun)))
