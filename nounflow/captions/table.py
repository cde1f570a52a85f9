"""The table of captions: distinct texts with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa

from nounflow.counts import Counts

_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "text": pl.String,
    "targets": pl.List(pl.UInt32),
    "target_weights": pl.List(pl.Float32),
    "weight": pl.Float32,
    "template": pl.String,
}


@dataclass
class Rows:
    """Texts before equal ones are merged; lists run parallel."""

    texts: list[str] = field(default_factory=list)
    targets: list[Sequence[int]] = field(default_factory=list)  # noun ids in order of mention
    weights: list[float] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)

    def add(self, text: str, targets: Sequence[int], weight: float, template: str) -> None:
        """Append one text."""
        self.texts.append(text)
        self.targets.append(targets)
        self.weights.append(weight)
        self.templates.append(template)

    def frame(self) -> pl.DataFrame:
        """All rows with the columns of schema `CAPTIONS`; target weights are 1/m."""
        sizes = np.fromiter(map(len, self.targets), dtype=np.int64, count=len(self.targets))
        ids = np.fromiter(chain.from_iterable(self.targets), dtype=np.uint32, count=int(sizes.sum()))
        return caption_frame(self.texts, ids, sizes, self.weights, self.templates)


def caption_frame(
    texts: list[str], ids: np.ndarray, sizes: np.ndarray, weights: Sequence[float] | np.ndarray, templates: list[str]
) -> pl.DataFrame:
    """A table with the columns of schema `CAPTIONS`; target weights are 1/m.

    Args:
        texts: one for each row; so are `weights` and `templates`.
        ids: targets of all rows, one row after the other, uint32 [sum of sizes].
        sizes: number of targets of each row, int64 [rows].
    """
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int64())
    shares = np.repeat((1 / np.maximum(sizes, 1)).astype(np.float32), sizes)
    # lists are put together by Arrow: polars would look at every row's list by itself, at ten times the cost
    lists = [pa.LargeListArray.from_arrays(offsets, pa.array(flat)) for flat in (ids.astype(np.uint32), shares)]
    columns = (texts, *(pl.Series(pl.from_arrow(values)) for values in lists), weights, templates)
    return pl.DataFrame(dict(zip(_TYPES, columns, strict=True)), schema=_TYPES)


def merge_equal_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each distinct text, in order of first appearance.

    Sampling weights add up; targets are united; a target's weight is its mean over the merged rows by sampling
    weight, so it is the share of draws of this text that named it. The first row's template stays.
    """
    if rows["text"].n_unique() == len(rows):
        return rows
    rows = rows.with_row_index("row")
    first = rows.group_by("text", maintain_order=True).agg(pl.col("row").first(), pl.col("template").first())
    flat = rows.select("row", "text", "targets", "target_weights", "weight").explode(["targets", "target_weights"])
    united = (
        flat.with_columns(mass=pl.col("target_weights").cast(pl.Float64) * pl.col("weight"))
        .group_by("text", "targets", maintain_order=True)
        .agg(pl.col("mass").sum())
        .group_by("text", maintain_order=True)
        .agg("targets", target_weights=(pl.col("mass") / pl.col("mass").sum()).cast(pl.Float32))
    )
    totals = rows.group_by("text").agg(pl.col("weight").cast(pl.Float64).sum().cast(pl.Float32))
    return (
        first.join(united, on="text").join(totals, on="text").sort("row").select(*_TYPES)  # joins do not keep order
    )


def record_texts(counts: Counts, name: str, asked: int, rows: pl.DataFrame, table: pl.DataFrame) -> None:
    """Record the way from the texts asked for over the rows made to the distinct texts of `table`."""
    flow = counts.flow(name, asked, "texts asked for")
    flow.drop(asked - len(rows), "not made: the noun has too few forms, templates or different sentences")
    flow.drop(len(rows) - len(table), "the same text as another one (merged: targets united, weights added)")
    flow.out(len(table), "distinct texts")


def record_nouns(counts: Counts, nouns: pl.DataFrame, table: pl.DataFrame, reason: str) -> None:
    """Record how many nouns are named in `table`; `reason`: why one may not be."""
    named = table["targets"].explode().n_unique()
    flow = counts.flow("nouns", len(nouns), "nouns")
    flow.drop(len(nouns) - named, reason)
    flow.out(named, "nouns named in a text")
