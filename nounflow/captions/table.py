"""The table of captions: distinct texts with their targets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import polars as pl
import pyarrow as pa

from nounflow.counts import Counts
from nounflow.schemas.tables import CAPTIONS

MERGED = "the same text as another one (merged: targets united, weights added)"
BATCH = 16_384  # rows made into a table at a time
_TYPES = pl.DataFrame(CAPTIONS.empty_table()).schema


@dataclass(frozen=True)
class Written:
    """What a table of captions has become."""

    rows: int  # before equal texts were merged
    texts: int  # distinct ones: rows of the table
    nouns: int  # nouns named in it


@dataclass(frozen=True)
class CaptionDraft:
    """Captions that are yet to be written: `nounflow.captions.writing` does it."""

    batches: Iterator[pl.DataFrame]  # columns of schema `CAPTIONS`; equal texts are not yet merged
    count: Callable[[Written], Counts]


Row = tuple[str, Sequence[int], float, str]  # a text, its targets in order of mention, its weight, its template


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows with the columns of schema `CAPTIONS`; target weights are 1/m. Equal texts are not merged."""
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    texts, targets, weights, templates = map(list, columns)
    sizes = np.fromiter(map(len, targets), dtype=np.int64)
    ids = np.fromiter(chain.from_iterable(targets), dtype=np.uint32)
    return caption_frame(texts, ids, sizes, weights, templates)


def frames(rows: Iterable[Row]) -> Iterator[pl.DataFrame]:
    """`frame_of` any number of rows, `BATCH` at a time."""
    remaining = iter(rows)
    while some := list(islice(remaining, BATCH)):
        yield frame_of(some)


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
    """One row for each distinct text, in order of first appearance; see `merge_pieces`."""
    if rows["text"].n_unique() == len(rows):
        return rows
    return merge_pieces([rows.with_row_index("row")]).select(*_TYPES)


def merge_pieces(pieces: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """One row for each distinct text of some tables with a column `row`, sorted by it; only one table is held.

    Sampling weights add up; targets are united; a target's weight is its mean over the merged rows by sampling
    weight, so it is the share of draws of this text that named it. The first row's number and template stay.
    """
    firsts: list[pl.DataFrame] = []  # one table, in which each text stands once
    masses: list[pl.DataFrame] = []  # one table, in which each pair of text and target stands once
    for piece in pieces:
        new = piece.select("text", "row", "template", pl.col("weight").cast(pl.Float64))
        by_text = pl.concat([*firsts, new]).group_by("text", maintain_order=True)
        firsts = [by_text.agg(pl.col("row", "template").first(), pl.col("weight").sum())]
        flat = piece.explode(["targets", "target_weights"])
        flat = flat.select("text", "targets", mass=pl.col("target_weights").cast(pl.Float64) * pl.col("weight"))
        masses = [pl.concat([*masses, flat]).group_by("text", "targets", maintain_order=True).agg(pl.col("mass").sum())]
    shares = (pl.col("mass") / pl.col("mass").sum()).cast(pl.Float32)
    united = pl.concat(masses).group_by("text", maintain_order=True).agg("targets", target_weights=shares)
    merged = pl.concat(firsts).with_columns(pl.col("weight").cast(pl.Float32)).join(united, on="text")
    return merged.sort("row").select("row", *_TYPES)  # joins do not keep order


def record_texts(counts: Counts, name: str, asked: int, written: Written) -> None:
    """Record the way from the texts asked for over the rows made to the distinct texts of a table."""
    flow = counts.flow(name, asked, "texts asked for")
    flow.drop(asked - written.rows, "not made: the noun has too few forms, templates or different sentences")
    flow.drop(written.rows - written.texts, MERGED)
    flow.out(written.texts, "distinct texts")


def record_nouns(counts: Counts, nouns: int, written: Written, reason: str) -> None:
    """Record how many of the lexicon's nouns are named in a table; `reason`: why one may not be."""
    flow = counts.flow("nouns", nouns, "nouns")
    flow.drop(nouns - written.nouns, reason)
    flow.out(written.nouns, "nouns named in a text")
