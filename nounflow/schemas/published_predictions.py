"""Predictions in the published layout (NOVIC, WACV 2025, version 1), out and in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pydantic

from nounflow.errors import DamagedFileError
from nounflow.files import read_json
from nounflow.schemas.predictions import Predictions, check_lists

_OURS = ("images", "unreadable", "milliseconds", "run", "predictor", "image_set")
_OURS_OF_DECODING = ("probability",)


def published(predictions: Predictions) -> dict[str, Any]:
    """A predictions file with the published fields alone; images that could not be read are in no list, as there."""
    document = {key: value for key, value in predictions.model_dump(mode="json").items() if key not in _OURS}
    document["predictions"] = {
        name: {key: value for key, value in part.items() if key not in _OURS_OF_DECODING}
        for name, part in document["predictions"].items()
    }
    return document


def from_published(path: Path, run: str, image_set: str) -> Predictions:
    """A file in the published layout as the predictions of a run.

    Probabilities are the exponentials of the scores, which are log-probabilities unless a length penalty or a prior
    was used. A file of ours, with our fields, is read as it is, but for the names of run and image set.

    Raises:
        DamagedFileError: it lacks a field, or has one of another form.
    """
    document = read_json(path, "predictions file")
    try:
        parts = {
            name: {"probability": [[_probability(score) for score in row] for row in part["score"]], **part}
            for name, part in document["predictions"].items()
        }
        ours = {"unreadable": {}, "milliseconds": 0.0, "predictor": "decoder"}
        named = {"predictions": parts, "run": run, "image_set": image_set}
        found = Predictions.model_validate({**ours, **document, **named})
        if found.version != 1 or not found.predictions:
            raise ValueError(f"version {found.version}, {len(found.predictions)} decoding configurations")
        for name, part in found.predictions.items():
            check_lists(found, part, f"predictions.{name}")
        return found
    except (pydantic.ValidationError, KeyError, TypeError, AttributeError, OverflowError, ValueError) as error:
        first = error.errors()[0]["loc"] if isinstance(error, pydantic.ValidationError) else (str(error),)
        raise DamagedFileError(
            f"This is no predictions file of the published layout: {'.'.join(map(str, first))}",
            where=path,
            fix="export it anew, in version 1 of the layout",
        ) from error


def _probability(score: float) -> float:
    return math.exp(min(0.0, score))
