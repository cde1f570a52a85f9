"""Which images the report shows, what was said about each, and their pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from nounflow.images import ImageError, open_image
from nounflow.predictor_kinds import writes_tokens
from nounflow.schemas.labels import Labels
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import Judgements, Verdict, only_decoding, verdict
from nounflow.streams import unit_hash

_SIDE = 360  # pixels of the longer side: a card is about 260 wide, on a fine screen
_QUALITY = 78
_GUESSES = 3
_CONFIDENT = 0.5  # a probability below is no confidence, however unsure the run is of all other images


@dataclass(frozen=True)
class Guess:
    """One noun that a run gave, and what the judge made of it."""

    noun: str
    probability: float
    verdict: Verdict
    category: str  # as judged, "" if nobody judged it


@dataclass(frozen=True)
class Said:
    """A run's best nouns for an image."""

    run: str
    predictor: str
    guesses: tuple[Guess, ...]
    sure: bool = False  # confident, and among the third of its images that the run is surest of

    @property
    def verdict(self) -> Verdict:
        """Of the first noun."""
        return self.guesses[0].verdict

    @property
    def sure_and_wrong(self) -> bool:
        """The errors that hurt most."""
        return self.sure and self.verdict == "wrong"


@dataclass(frozen=True)
class Card:
    """An image of the gallery, without its picture."""

    image_set: str
    file: str
    labels: Labels | None
    said: tuple[Said, ...]

    @property
    def disagree(self) -> bool:
        """Do the runs' first nouns fare differently?"""
        return len({said.verdict for said in self.said}) > 1

    @property
    def sure_and_wrong(self) -> bool:
        """Is any run?"""
        return any(said.sure_and_wrong for said in self.said)


@dataclass(frozen=True)
class Picture:
    """A small JPEG as a data URI, with its size in pixels."""

    uri: str
    width: int
    height: int


def cards(
    predictions: Sequence[Predictions], judged: Mapping[str, Judgements], labels: Mapping[str, Mapping[str, Labels]]
) -> list[Card]:
    """A card for every image that a run gave nouns for, sorted by image set and file.

    Args:
        judged: image set -> judgements.
        labels: image set -> file -> labels.
    """
    said: dict[tuple[str, str], list[Said]] = {}
    for document in sorted(predictions, key=lambda one: (not writes_tokens(one.predictor), one.predictor, one.run)):
        decoding = only_decoding(document)
        table = judged.get(document.image_set, {})
        firsts = [row[0] for row in decoding.probability]
        bar = max(sorted(firsts)[2 * len(firsts) // 3] if firsts else 1.0, _CONFIDENT)
        for file, nouns, probabilities in zip(document.samples, decoding.pred, decoding.probability, strict=True):
            categories = [table.get(file, {}).get(noun) for noun in nouns[:_GUESSES]]
            guesses = tuple(
                Guess(noun, probability, verdict(category), category or "")
                for noun, probability, category in zip(nouns, probabilities, categories, strict=False)
            )
            said.setdefault((document.image_set, file), []).append(
                Said(document.run, document.predictor, guesses, probabilities[0] >= bar)
            )
    return [
        Card(image_set, file, labels.get(image_set, {}).get(file), tuple(runs))
        for (image_set, file), runs in sorted(said.items())
    ]


def choose(all_cards: Sequence[Card], n: int) -> list[Card]:
    """At most `n` cards that teach most: half where the runs fare differently, the rest in turn all right, all close,
    wrong though sure, all wrong, all unjudged. Each image set gets an equal share. Which ones is decided by a hash of
    the file name.
    """
    by_set: dict[str, list[Card]] = {}
    for card in sorted(all_cards, key=_shuffled):
        by_set.setdefault(card.image_set, []).append(card)
    queues = [_interleaved(by_set[name]) for name in sorted(by_set)]
    return sorted(_in_turn(queues)[:n], key=_shuffled)


def picture(folder: Path, file: str) -> Picture:
    """A small upright JPEG of an image file of a folder. Raises ImageError if it cannot be read, or lies elsewhere."""
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise ImageError("its name leads out of the image folder")
    image = open_image(folder / file)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return Picture(jpeg_uri(image), *image.size)


def jpeg_uri(image: Image.Image) -> str:
    """An image as a JPEG within a page."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _interleaved(one_set: Sequence[Card]) -> list[Card]:
    disagree: list[Card] = []
    agreed: dict[str, list[Card]] = {kind: [] for kind in ("right", "close", "sure and wrong", "wrong", "unjudged")}
    for card in one_set:
        kind = "sure and wrong" if card.sure_and_wrong else card.said[0].verdict
        (disagree if card.disagree else agreed[kind]).append(card)
    return _in_turn([disagree, _in_turn(list(agreed.values()))])


def _in_turn(queues: Sequence[Sequence[Card]]) -> list[Card]:
    """One of each queue in turn until all are empty."""
    return [card for turn in zip_longest(*queues) for card in turn if card is not None]


def _shuffled(card: Card) -> tuple[float, str, str]:
    return unit_hash(1, "gallery", f"{card.image_set}/{card.file}"), card.image_set, card.file
