"""Captions to disk, equal texts merged, while memory holds one window of rows and 16 bytes for each further one.

A window is what a row group of the file holds. A table that fits into one is merged in memory. Of a larger one the rows
go to a spool, and in memory stays a 64-bit hash of each text, twice while they are sorted. Rows whose hash comes only
once pass through. The others are sent to the window where their hash comes first, and are merged there by their texts,
so that two texts with one hash stay two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
import polars as pl

from nounflow.captions.spool import Spool
from nounflow.captions.table import CaptionDraft, Written, merge_equal_texts, merge_pieces
from nounflow.counts import Counts
from nounflow.schemas.tables import CAPTIONS, ROW_GROUP, rebatched, write_batches


def write_draft(path: Path, draft: CaptionDraft) -> Counts:
    """Write captions to a parquet file of schema `CAPTIONS`; returns their counts."""
    rows = texts = 0
    named: set[int] = set()

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for batch in draft.batches:
            rows += len(batch)
            yield batch

    def noted() -> Iterator[pl.DataFrame]:
        nonlocal texts
        for batch in merged(counted(), path.parent):
            texts += len(batch)
            named.update(batch["targets"].explode().unique().to_list())
            yield batch

    write_batches(path, noted(), CAPTIONS)
    return draft.count(Written(rows, texts, len(named)))


def merged(batches: Iterable[pl.DataFrame], folder: Path, window: int = ROW_GROUP) -> Iterator[pl.DataFrame]:
    """One row for each distinct text, in order of first appearance, as `merge_equal_texts` of all rows at once.

    Args:
        batches: tables of schema `CAPTIONS`.
        folder: has room for the rows that do not fit into one window.
        window: rows held at a time.
    """
    windows = rebatched(batches, window)
    start = list(islice(windows, 2))
    if len(start) < 2:
        yield from map(merge_equal_texts, start)
        return
    with Spool(folder) as rows, Spool(folder) as late:
        hashes = []
        for number, frame in enumerate(chain(start, windows)):
            rows.append_frame(number, frame)
            hashes.append(_hashes(frame))
        start.clear()
        repeated = _repeated(hashes)
        hashes.clear()
        homes = np.full(len(repeated), -1, dtype=np.int32)  # window in which a repeated hash comes first
        for number, frame in _numbered(rows):
            _send_home(frame, number, (repeated, homes), late)
        for number, frame in _numbered(rows):
            yield _merged_window(frame, number, (repeated, homes), rebatched(late.frames(number), window))


def _numbered(rows: Spool) -> Iterator[tuple[int, pl.DataFrame]]:
    """The windows in order, with a column `row`."""
    number = first = 0
    while frames := list(rows.frames(number)):
        yield number, frames[0].with_row_index("row", first)
        number, first = number + 1, first + len(frames[0])


def _hashes(frame: pl.DataFrame) -> np.ndarray:
    return frame["text"].hash(seed=0).to_numpy()


def _repeated(hashes: list[np.ndarray]) -> np.ndarray:
    """The hashes that come more than once, sorted, uint64."""
    ordered = np.concatenate(hashes)
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _found(frame: pl.DataFrame, repeated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of each row's hash among the repeated ones, int64 [rows], and whether it is one, bool [rows]."""
    hashes = _hashes(frame)
    places = np.searchsorted(repeated, hashes)
    places[places == len(repeated)] = 0
    return places, repeated[places] == hashes if len(repeated) else np.zeros(len(hashes), dtype=bool)


def _send_home(frame: pl.DataFrame, number: int, known: tuple[np.ndarray, np.ndarray], late: Spool) -> None:
    """Give each repeated hash its first window; rows that come later go there through `late`."""
    repeated, homes = known
    places, found = _found(frame, repeated)
    new = places[found]
    homes[new[homes[new] < 0]] = number
    if found.any():
        own = pl.Series("home", np.where(found, homes[places], number))
        later = frame.with_columns(own).filter(pl.col("home") < number)
        for (home,), part in later.partition_by("home", as_dict=True, include_key=False).items():
            late.append_frame(home, part)


def _merged_window(
    frame: pl.DataFrame, number: int, known: tuple[np.ndarray, np.ndarray], late: Iterator[pl.DataFrame]
) -> pl.DataFrame:
    """The rows of one window whose texts come first in it, those from later windows merged into them."""
    repeated, homes = known
    places, found = _found(frame, repeated)
    if not found.any():
        return frame.drop("row")
    own = frame.filter(found & (homes[places] == number))
    if not len(own):
        return frame.filter(~found).drop("row")
    together = pl.concat([frame.filter(~found), merge_pieces(chain([own], late))])
    return together.sort("row").drop("row")
