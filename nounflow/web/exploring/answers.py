"""What runs said of an image set as a table, the parts of it that a page asks for, and a map of images. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import StringConstraints

from nounflow.schemas.labels import Labels
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import Judgements, only_decoding, verdict

_NOUNS = 5  # of an answer
_CONFUSIONS = 100
_FITTED = 5000  # images that the axes of the map are found on
Order = Literal["file", "surest", "least sure"]


@dataclass(frozen=True)
class Wanted:
    """What a page shows of a run; empty: all, but of `run` the first."""

    run: str = ""
    other: str = ""  # a second run, shown beside
    verdict: str = ""  # right, close, wrong, unjudged
    differ: bool = False  # the two runs' verdicts
    kind: str = ""
    noun: str = ""  # the first one said
    gold: str = ""
    search: Annotated[str, StringConstraints(max_length=200)] = ""  # in file, label and nouns
    low: float = 0.0  # probability of the first noun
    high: float = 1.0
    order: Order = "file"


def answer_table(
    documents: Sequence[Predictions], judged: Judgements, labels: Mapping[str, Labels], kinds: Mapping[str, str]
) -> pl.DataFrame:
    """A row for each image and run, images numbered in the order of their names.

    Args:
        judged: of the image set; may be empty.
        kinds: noun -> kind of thing, of a lexicon.
    """
    files = sorted({file for document in documents for file in document.samples})
    number = {file: i for i, file in enumerate(files)}
    rows: list[tuple[Any, ...]] = []
    for document in documents:
        decoding = only_decoding(document)
        for file, nouns, probabilities in zip(document.samples, decoding.pred, decoding.probability, strict=True):
            label, table = labels.get(file), judged.get(file, {})
            gold = label.gold if label else ""
            shown = nouns[:_NOUNS]
            said = [verdict(table.get(noun)) for noun in shown]
            kind = kinds.get(gold.lower() or shown[0].lower(), "")
            first = (number[file], file, document.run, gold, kind, shown[0], probabilities[0], said[0])
            text = "\n".join((file, gold, *shown)).lower()
            rows.append((*first, list(shown), list(probabilities[:_NOUNS]), said, text))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "image": pl.Int64, "file": pl.String, "run": pl.String, "gold": pl.String, "kind": pl.String, "noun": pl.String,
    "probability": pl.Float64, "verdict": pl.String, "nouns": pl.List(pl.String),
    "probabilities": pl.List(pl.Float64), "verdicts": pl.List(pl.String), "text": pl.String,
}  # fmt: skip


def chosen(table: pl.DataFrame, wanted: Wanted) -> pl.DataFrame:
    """The rows of the wanted run, in their order; `differ` compares with the other run's row of the same image."""
    found = table.filter(pl.col("run") == (wanted.run or table["run"].first()))
    for column in ("verdict", "kind", "noun", "gold"):
        if value := getattr(wanted, column):
            found = found.filter(pl.col(column) == value)
    found = found.filter(pl.col("probability").is_between(wanted.low, wanted.high))
    if wanted.search.strip():
        found = found.filter(pl.col("text").str.contains(wanted.search.strip().lower(), literal=True))
    if wanted.differ and wanted.other:
        other = table.filter(pl.col("run") == wanted.other).select("image", pl.col("verdict").alias("beside"))
        found = found.join(other, on="image").filter(pl.col("verdict") != pl.col("beside")).drop("beside")
    if wanted.order == "file":
        return found.sort("image")
    return found.sort("probability", "image", descending=[wanted.order == "surest", False])


def page(table: pl.DataFrame, wanted: Wanted, number: int, size: int) -> dict[str, Any]:
    """A page, counted from 0: how many images there are in all, and the shown ones with each run's answer."""
    found = chosen(table, wanted)
    shown = found.slice(number * size, size)
    beside = table.filter((pl.col("run") == wanted.other) & pl.col("image").is_in(shown["image"].to_list()))
    others = {row["image"]: _said(row) for row in beside.iter_rows(named=True)}
    rows = [
        {
            **{key: row[key] for key in ("image", "file", "gold", "kind")},
            "said": [_said(row), *([others[row["image"]]] if row["image"] in others else [])],
        }
        for row in shown.iter_rows(named=True)
    ]
    return {"total": found.height, "rows": rows}


def confusions(table: pl.DataFrame, wanted: Wanted) -> list[dict[str, Any]]:
    """Label and first noun of images where it is not right, the most frequent pairs first."""
    wrong = chosen(table, wanted).filter((pl.col("gold") != "") & (pl.col("verdict") != "right"))
    pairs = wrong.group_by("gold", "noun").len("images").sort("images", "gold", "noun", descending=[True, False, False])
    return pairs.head(_CONFUSIONS).to_dicts()


def plane(vectors: np.ndarray, seed: int = 1) -> np.ndarray:
    """Where a map has unit vectors [n, dim]: on their first two principal axes, float32 [n, 2], between -1 and 1."""
    vectors = vectors.astype(np.float32)
    if not len(vectors):
        return np.zeros((0, 2), dtype=np.float32)
    drawn = np.random.default_rng(seed).permutation(len(vectors))[:_FITTED]
    mean = vectors[drawn].mean(0)
    _, _, axes = np.linalg.svd(vectors[drawn] - mean, full_matrices=False)
    places = (vectors - mean) @ axes[:2].T
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    # of an axis and its opposite, the one with the longer tail on its positive side: the same map every time
    places *= np.where((places**3).sum(0) < 0, -1, 1)
    flat: np.ndarray = places / max(1e-9, float(np.abs(places).max()))
    return flat


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    guesses = zip(row["nouns"], row["probabilities"], row["verdicts"], strict=True)
    return {
        "run": row["run"],
        "guesses": [{"noun": noun, "probability": p, "verdict": found} for noun, p, found in guesses],
    }
