"""An SQLite file that only grows: WAL mode, full synchronisation, one process that writes, many that look.

What a future of `submit` has returned survives `kill -9` and a power cut. (WAL needs a local disk, not a network file
system.) All methods may be called from any thread.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from filelock import FileLock, Timeout

from nounflow.atomic import atomic_file, disk_errors
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.group_writer import GroupWriter


@dataclass(frozen=True)
class Additions:
    """What a format has that the one before it lacks."""

    tables: Mapping[str, str]  # table -> SQL of its columns
    indexes: Mapping[str, str] = field(default_factory=dict)  # index -> SQL of the table and its columns


class Journal:
    """See the module. A subclass says what it holds; its format n is made of the first n of `formats`."""

    name: ClassVar[str]  # for messages: "decision log"
    worth: ClassVar[str]  # for messages: why the file is not to be deleted
    formats: ClassVar[Sequence[Additions]]

    def __init__(self, path: Path, *, writable: bool, now: Callable[[], float] = time.time) -> None:
        self.path, self.now = Path(path), now
        self._lock = FileLock(f"{self.path}.lock", timeout=0, thread_local=False) if writable else None
        self._writer: GroupWriter | None = None
        self._reading = threading.Lock()
        if not writable and not self.path.is_file():
            raise NounflowError(f"There is no {self.name}", where=path, fix="check the path")
        with self._errors(), contextlib.ExitStack() as undo:
            if self._lock is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
                undo.callback(self._lock.release)
                if not self.path.exists():
                    self._make()
                self._writer = GroupWriter(self._connect)
                undo.callback(self._writer.close)
            self._reader = self._connect()
            self._reader.execute(f"PRAGMA mmap_size = {1 << 40}")  # look-ups take 0.6 of the time
            undo.pop_all()

    @classmethod
    def open(cls, path: Path, *, now: Callable[[], float] = time.time) -> Self:
        """Open a journal to write, made if there is none; one of an older format is upgraded in place.

        Raises:
            NounflowError: another process writes to it, or it was written by a newer version.
            DamagedFileError: the file is no such journal.
        """
        return cls(path, writable=True, now=now)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing journal only to look, also while another process writes to it."""
        return cls(path, writable=False)

    def submit(self, write: Callable[[sqlite3.Connection], Any]) -> Future[Any]:
        """Queue a write, all of it or nothing; what it returns is on the disk when the future is done."""
        if self._writer is None:
            raise ValueError(f"this {self.name} is open for reading only")
        return self._writer.submit(write)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query, as they stand now."""
        with self._reading, self._errors():
            return self._reader.execute(sql, values).fetchall()

    def close(self) -> None:
        """Finish what is being written and let go of the file."""
        if self._writer is not None:
            self._writer.close()
        self._reader.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _make(self) -> None:
        """A journal of nothing, there at once or not at all: so a file without tables has lost them."""
        with atomic_file(self.path) as temporary, contextlib.closing(sqlite3.connect(temporary)) as connection:
            connection.executescript(self._upgrade_script(0))

    def _upgrade_script(self, version: int) -> str:
        """SQL that makes a journal of an older format (0: an empty file) one of the newest, all or nothing."""
        statements = []
        for added in self.formats[version:]:
            statements += [f"CREATE TABLE {table} ({columns});" for table, columns in added.tables.items()]
            statements += [
                f"CREATE TRIGGER {table}_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'the {self.name} only grows'); END;"
                for table in added.tables
                for act in ("UPDATE", "DELETE")
            ]
            statements += [f"CREATE INDEX {name} ON {columns};" for name, columns in added.indexes.items()]
        return "\n".join(["BEGIN IMMEDIATE;", *statements, f"PRAGMA user_version = {len(self.formats)};", "COMMIT;"])

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=60, check_same_thread=False)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            connection.close()
            raise NounflowError(
                f"The {self.name} is empty: it was emptied, or copying it was cut off",
                where=self.path,
                fix=f"restore it from a copy; to begin anew without {self.worth}, delete it",
            )
        if not 1 <= version <= len(self.formats):
            connection.close()
            raise NounflowError(
                f"The {self.name} has format {version}, this program writes format {len(self.formats)}",
                where=self.path,
                fix=f"use the program that wrote it or another file; do not delete it, it holds {self.worth}",
            )
        if self._lock is None:  # what an older format lacks is empty, for this connection alone
            tables = [item for added in self.formats[version:] for item in added.tables.items()]
            connection.executescript("".join(f"CREATE TEMP TABLE {table} ({columns});" for table, columns in tables))
            connection.execute("PRAGMA query_only = ON")
            return connection
        connection.execute("PRAGMA cache_size = -65536")  # KiB
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version < len(self.formats):
            connection.executescript(self._upgrade_script(version))
        return connection

    def _no_locks(self, reason: str) -> NounflowError:
        return NounflowError(
            f"The {self.name} cannot be opened or written here ({reason})",
            where=self.path,
            fix="it needs a local disk, whose file system locks and maps files, and no other program that holds it",
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with disk_errors(self.path):
                yield
        except Timeout:
            raise NounflowError(
                f"Another process writes to this {self.name}", where=self.path, fix="wait until it has ended"
            ) from None
        except NotImplementedError:
            raise self._no_locks("it has no locks") from None
        except sqlite3.OperationalError as error:
            raise self._no_locks(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise DamagedFileError(
                f"The {self.name} cannot be read ({error})", where=self.path, fix="restore it from a copy"
            ) from error
