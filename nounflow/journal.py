"""An SQLite file that only grows: WAL mode, full synchronisation, one process that writes, many that look.

What a future of `submit` has returned survives `kill -9` and a power cut. (WAL needs a local disk, not a network file
system.) All methods may be called from any thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.files import disk_errors
from nounflow.llm.writer import GroupWriter


@dataclass(frozen=True)
class JournalKind:
    """What a journal holds."""

    name: str  # for messages: "decision log"
    version: int  # of the tables
    tables: Mapping[str, str]  # table -> SQL of its columns

    def creation_script(self) -> str:
        """SQL that makes an empty journal, with triggers against changing rows."""
        statements = [f"CREATE TABLE {table} ({columns});" for table, columns in self.tables.items()]
        statements += [
            f"CREATE TRIGGER {table}_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'the {self.name} only grows'); END;"
            for table in self.tables
            for act in ("UPDATE", "DELETE")
        ]
        return "BEGIN;\n" + "\n".join([*statements, f"PRAGMA user_version = {self.version};"]) + "\nCOMMIT;"


class Journal:
    """See the module. With `writable` the file is made where there is none, and locked against other writers."""

    def __init__(self, path: Path, kind: JournalKind, *, writable: bool) -> None:
        self.path, self.kind = Path(path), kind
        self._lock = FileLock(f"{self.path}.lock", timeout=0, thread_local=False) if writable else None
        self._writer: GroupWriter | None = None
        self._reading = threading.Lock()
        if not writable and not self.path.is_file():
            raise NounflowError(f"There is no {kind.name}", where=path, fix="check the path")
        with self._errors(), contextlib.ExitStack() as undo:
            if self._lock is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
                undo.callback(self._lock.release)
                self._writer = GroupWriter(self._connect)
                undo.callback(self._writer.close)
            self._reader = self._connect()
            undo.pop_all()

    def submit(self, write: Callable[[sqlite3.Connection], Any]) -> Future[Any]:
        """Queue a function that inserts rows; the future is done when they are on the disk."""
        if self._writer is None:
            raise ValueError(f"this {self.kind.name} is open for reading only")
        return self._writer.submit(write)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._reading, self._errors():
            return self._reader.execute(sql, values).fetchall()

    def close(self) -> None:
        """Finish what is being written and let go of the file."""
        if self._writer is not None:
            self._writer.close()
        self._reader.close()
        if self._lock is not None:
            self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=60, check_same_thread=False)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if not (version == self.kind.version or (version == 0 and empty and self._lock is not None)):
            connection.close()
            raise NounflowError(
                f"The {self.kind.name} has format {version}, this program writes format {self.kind.version}",
                where=self.path,
                fix="use the program that wrote it, or name another file; do not delete it",
            )
        if self._lock is None:
            connection.execute("PRAGMA query_only = ON")
            return connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            connection.executescript(self.kind.creation_script())
        return connection

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with disk_errors(self.path):
                yield
        except Timeout:
            raise NounflowError(
                f"Another process writes to this {self.kind.name}", where=self.path, fix="wait until it has ended"
            ) from None
        except sqlite3.DatabaseError as error:
            raise DamagedFileError(
                f"The {self.kind.name} cannot be read ({error})", where=self.path, fix="restore it from a copy"
            ) from error
