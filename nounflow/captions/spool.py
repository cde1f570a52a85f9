"""Data on disk for as long as a stage runs, so that memory does not grow with the captions."""

import contextlib
import os
import struct
import tempfile
from collections.abc import Hashable, Iterator
from pathlib import Path

import polars as pl

from nounflow.atomic import disk_errors

_HEAD = struct.Struct("<qq")  # where the chain's piece before this one begins (-1: none), bytes of this one


class Spool:
    """Chains of pieces in one file that has no name, so nothing of it is left, not even after `kill -9`.

    In memory there is one number a chain. Use it as a context manager.
    """

    def __init__(self, folder: Path) -> None:
        """Make the file in `folder`, where the results go: the folder for temporary files may be small, or memory."""
        self._folder = folder
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._last: dict[Hashable, int] = {}
        self._end = 0

    def append(self, chain: Hashable, piece: bytes) -> None:
        """Put a piece behind the others of its chain."""
        with disk_errors(self._folder):
            self._file.write(_HEAD.pack(self._last.get(chain, -1), len(piece)) + piece)
        self._last[chain] = self._end
        self._end += _HEAD.size + len(piece)

    def pieces(self, chain: Hashable) -> Iterator[bytes]:
        """The pieces of a chain in the order in which they came; none for an unknown chain."""
        with disk_errors(self._folder):
            self._file.flush()
        places: list[tuple[int, int]] = []
        place = self._last.get(chain, -1)
        while place >= 0:
            before, size = _HEAD.unpack(os.pread(self._file.fileno(), _HEAD.size, place))
            places.append((place + _HEAD.size, size))
            place = before
        for place, size in reversed(places):
            yield os.pread(self._file.fileno(), size, place)

    def append_frame(self, chain: Hashable, frame: pl.DataFrame) -> None:
        """Put a table behind the others of its chain."""
        self.append(chain, frame.write_ipc_stream(None, compression="lz4").getvalue())

    def frames(self, chain: Hashable) -> Iterator[pl.DataFrame]:
        """The tables of a chain."""
        return map(pl.read_ipc_stream, self.pieces(chain))

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what was not yet on a disk that is full is needed no more
            self._file.close()
