"""What the runs say of images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from nounflow.errors import MismatchError
from nounflow.image_names import plain_name
from nounflow.schemas.documents import StoredDocument, read_document


class DecodingPredictions(StoredDocument):
    """Predictions under one decoding configuration; lists run parallel to `samples`."""

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    gen_cfg: dict[str, Any]
    valid_guide: tuple[float, ...]  # percent of samples whose first 1, 2, ... k are all valid
    valid_vocab: tuple[float, ...]
    valid: tuple[float, ...]
    invalid: tuple[float, ...]
    pred: tuple[tuple[str, ...], ...]
    score: tuple[tuple[float, ...], ...]  # log-probabilities; retrieval: cosines
    probability: tuple[tuple[float, ...], ...]
    result: tuple[tuple[int, ...], ...]  # 0 correct, 1 in the guide list, 2 in the vocabulary, 3 neither

    def picked(self, kept: Sequence[int]) -> DecodingPredictions:
        """Those of some samples, by their places; lists that are too short are left alone, and refused by who reads."""
        lists = {name: getattr(self, name) for name in ("pred", "score", "probability", "result")}
        fitting = {name: found for name, found in lists.items() if len(found) > max(kept)}
        return self.model_copy(update={name: tuple(found[i] for i in kept) for name, found in fitting.items()})


class Predictions(StoredDocument):
    """results/predictions/{run}/{image_set}.json, the published layout and what it lacked."""

    version: int = 1
    model: str
    model_path: str
    model_dir: str
    model_name: str
    model_cfg: dict[str, Any]
    infer_cfg: dict[str, Any]
    guide_targets: tuple[str, ...]
    vocab_targets: tuple[str, ...]
    samples: tuple[str, ...]
    images: str = ""  # sha256 over the names and bytes of `samples`; empty: made elsewhere
    predictions: dict[str, DecodingPredictions]
    unreadable: dict[str, str]  # file -> reason: counted as wrong, never dropped
    milliseconds: float  # per image: decoding, encoding and predicting
    run: str
    predictor: str
    image_set: str

    @pydantic.model_validator(mode="after")
    def _each_image_once(self) -> Predictions:
        """Images under their plain names; of one that stands twice the first answer counts, and it is told."""
        first: dict[str, int] = {}
        for i, file in enumerate(self.samples):
            first.setdefault(plain_name(file), i)
        if twice := len(self.samples) - len(first):
            parts = {name: part.picked(list(first.values())) for name, part in self.predictions.items()}
            self.__dict__["predictions"] = parts  # the model is frozen for all others
            print(
                f"predictions of {self.run} on {self.image_set}: images that stand twice, as a.png and ./a.png do: "
                f"{twice:,}; their first answers count",
                file=sys.stderr,
            )
        self.__dict__["samples"] = tuple(first)
        self.__dict__["unreadable"] = {plain_name(file): reason for file, reason in self.unreadable.items()}
        return self


def read_predictions(path: Path) -> Predictions:
    """A predictions file with a row for each image.

    Raises:
        MismatchError: it is none.
    """
    found = read_document(Predictions, path, "predictions file")
    try:
        for name, decoding in found.predictions.items():
            check_lists(found, decoding, f"predictions.{name}")
    except ValueError as error:
        raise MismatchError(
            f"The predictions do not fit together: {error}",
            where=path,
            fix="delete the file and run the predictions stage again",
        ) from None
    return found


def check_lists(predictions: Predictions, decoding: DecodingPredictions, place: str) -> None:
    """Is there a row for each image, with as many scores and probabilities as nouns, and a noun at least?

    Raises:
        ValueError: no; the message names the place.
    """
    images, lists = predictions.samples, ("pred", "score", "probability")
    for name in lists:
        if (rows := len(getattr(decoding, name))) != len(images):
            raise ValueError(f"{place}.{name}: {rows:,} rows for {len(images):,} images")
    for image, *parts in zip(images, *(getattr(decoding, name) for name in lists), strict=True):
        nouns, scores, probabilities = map(len, parts)
        if not nouns or not nouns == scores == probabilities:
            raise ValueError(f"{place}: {image!a} has {nouns} nouns, {scores} scores, {probabilities} probabilities")
