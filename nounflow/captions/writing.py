"""Captions to disk, equal texts merged. Memory holds one window of rows and 16 bytes for each further row.

A window is as many rows as one row group of the file. Captions that fit into one are merged in memory. With more:

1. All rows go to a file on disk (`Spool`), window by window; in memory stays a 64-bit hash of each text.
2. A hash that comes only once is a text that comes only once: nothing is to be done.
3. Of a hash that comes again, each row is sent to the first window that has the hash, its home.
4. Each window is written with the rows that were sent to it. They are merged by their texts, so that two texts with the
   same hash stay two.
"""

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
        n_windows, homes = len(hashes), _Homes(hashes)
        hashes.clear()

        def located() -> Iterator[tuple[int, pl.DataFrame]]:
            """The windows, with columns `row` and `home` (-1: the text comes once)."""
            for number in range(n_windows):
                (frame,) = rows.frames(number)
                yield number, frame.with_row_index("row", number * window).with_columns(home=homes.of(_hashes(frame)))

        for number, frame in located():
            later = frame.filter(pl.col("home").is_between(0, number, closed="left"))
            for (home,), part in later.partition_by("home", as_dict=True, include_key=False).items():
                late.append_frame(home, part)
        for number, frame in located():
            once = frame.filter(pl.col("home") < 0).drop("home")
            own = frame.filter(pl.col("home") == number).drop("home")
            if len(own):
                own = merge_pieces(chain([own], rebatched(late.frames(number), window)))
            yield pl.concat([once, own]).sort("row").drop("row")


def _hashes(frame: pl.DataFrame) -> np.ndarray:
    return frame["text"].hash(seed=0).to_numpy()


class _Homes:
    """The hashes that come more than once, each with the first window that has it."""

    def __init__(self, hashes: list[np.ndarray]) -> None:
        """`hashes`: uint64 [rows] of each window."""
        ordered = np.concatenate(hashes)
        ordered.sort()
        self._repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        self._homes = np.zeros(len(self._repeated), dtype=np.int32)
        for number in reversed(range(len(hashes))):
            places, found = self._places(hashes[number])
            self._homes[places[found]] = number

    def of(self, hashes: np.ndarray) -> pl.Series:
        """The window of each hash, -1 where it comes once."""
        places, found = self._places(hashes)
        homes = np.full(len(hashes), -1, dtype=np.int32)
        homes[found] = self._homes[places[found]]
        return pl.Series(homes)

    def _places(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position of each hash among the repeated ones, int64 [rows], and whether it is one, bool [rows]."""
        places = np.searchsorted(self._repeated, hashes)
        places[places == len(self._repeated)] = 0
        return places, self._repeated[places] == hashes if len(self._repeated) else np.zeros(len(hashes), dtype=bool)
