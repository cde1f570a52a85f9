"""The ledger: every request before it is sent, every raw answer before it is read.

    with Ledger.open(Path("results/captions/ledger.sqlite")) as ledger:
        sending = ledger.record_sending(question, max_output_tokens=1000, worst_usd=0.002).result()
        ledger.record_ending(sending, Ending("answered", raw=..., usage=..., charged_usd=0.0011)).result()

SQLite in WAL mode with full synchronisation: what a future has returned survives `kill -9` and a power cut. (WAL needs
a local disk, not a network file system.) All methods may be called from any thread; one process writes at a time.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.files import disk_errors
from nounflow.llm import ledger_tables as tables
from nounflow.llm.records import Ending, Entry, Totals, Unanswered, insert_ending, insert_sending
from nounflow.llm.requests import Question, Usage
from nounflow.llm.writer import GroupWriter


class Ledger:
    """See the module. Open it with `Ledger.open` to write, `Ledger.read` to look."""

    def __init__(self, path: Path, *, writable: bool, now: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self.now = now
        self._lock = FileLock(f"{self.path}.lock", timeout=0, thread_local=False) if writable else None
        self._writer: GroupWriter | None = None
        with self._errors(), contextlib.ExitStack() as undo:
            if self._lock is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
                undo.callback(self._lock.release)
                self._writer = GroupWriter(self._connect)
                undo.callback(self._writer.close)
            self._reading = threading.Lock()
            self._reader = self._connect()
            self._reader.execute(f"PRAGMA mmap_size = {1 << 40}")  # look-ups take 0.6 of the time
            undo.pop_all()

    @classmethod
    def open(cls, path: Path, *, now: Callable[[], float] = time.time) -> Ledger:
        """Open a ledger to write, made if there is none; one of an older version is upgraded in place.

        Raises:
            NounflowError: another process writes to it, or it was written by a newer version.
            DamagedFileError: the file is no ledger.
        """
        return cls(path, writable=True, now=now)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Open an existing ledger only to look, also while another process writes to it."""
        if not Path(path).is_file():
            raise NounflowError("There is no ledger", where=path, fix="run the stage that asks the language model")
        return cls(path, writable=False)

    def begin_run(self, base_url: str, model: str, server: Mapping[str, Any]) -> int:
        """Note what is asked from now on, and what its server can do; returns the run's number."""
        values = (self.now(), base_url, model, json.dumps(server))
        sql = "INSERT INTO runs (started_at, base_url, model, server) VALUES (?, ?, ?, ?)"
        number: int = self.submit(lambda connection: connection.execute(sql, values).lastrowid).result()
        return number

    def record_sending(
        self, question: Question, *, max_output_tokens: int, worst_usd: float, run: int | None = None
    ) -> Future[int]:
        """Write that a request is about to be sent. Send it only when the future (the sending's number) is done."""
        at = self.now()
        return self.submit(
            lambda connection: insert_sending(connection, question, run, at, max_output_tokens, worst_usd)
        )

    def record_ending(self, sending: int, ending: Ending) -> Future[None]:
        """Write how a sending ended. Read the answer only when the future is done."""
        at = self.now()
        return self.submit(lambda connection: insert_ending(connection, sending, at, ending))

    def record_verdict(self, key: str, accepted: bool, reason: str = "") -> Future[None]:
        """Write what the asker made of an answer, and why it was rejected. The latest verdict counts."""
        sql = (
            "INSERT INTO verdicts (request, given_at, accepted, reason) SELECT id, ?, ?, ? FROM requests WHERE key = ?"
        )
        values = (self.now(), int(accepted), reason, key)

        def write(connection: sqlite3.Connection) -> None:
            if connection.execute(sql, values).rowcount != 1:
                raise KeyError(f"no request has the key {key}")

        return self.submit(write)

    def look_up(self, keys: Sequence[str]) -> dict[str, Entry]:
        """What is known of many keys at once; unknown ones are absent. Holds their raw answers, so ask in portions."""
        entries: dict[str, Entry] = {}
        latest: dict[str, int] = {}  # number of the sending whose ending stands
        rows = self.rows(tables.HISTORY, json.dumps(sorted(keys)))  # sorted: neighbours share pages of the index
        for key, digest, sending, room, outcome, raw, detail, prompt, output, usd, batch in rows:
            entry = entries.get(key)
            if entry is None:
                entry = entries[key] = Entry(digest, None, 0)
            if outcome in ("answered", "refused") and sending > latest.get(key, 0):
                latest[key] = sending
                entry.last, entry.room = Ending(outcome, raw, detail, Usage(prompt, output), usd), room
            elif batch is not None:
                entry.batch = batch
        return entries

    def unanswered(self) -> list[Unanswered]:
        """Sendings without an ending: what was under way when a process died."""
        return [Unanswered(*row) for row in self.rows(tables.UNANSWERED)]

    def totals(self) -> Totals:
        """Calls, tokens and money of all runs; rejected answers and failed sendings are in it."""
        return Totals(*next(self.rows(tables.TOTALS)))

    def verdict_counts(self) -> dict[str, int]:
        """How many requests were accepted ("") or rejected, by reason; the latest verdict of each counts."""
        sql = (
            "SELECT CASE WHEN accepted THEN '' ELSE reason END AS why, count(*) FROM verdicts "
            "WHERE id IN (SELECT max(id) FROM verdicts GROUP BY request) GROUP BY why ORDER BY why"
        )
        return dict(self.rows(sql))

    def mean_output_tokens(self, model: str, prompt_version: str) -> float | None:
        """Mean length of the answers so far; None without any."""
        return next(self.rows(tables.MEAN_OUTPUT, model, prompt_version))[0]

    def check_messages(self, question: Question, entry: Entry) -> None:
        """Refuse other words under a known key.

        Raises:
            MismatchError: the messages changed and the prompt version did not.
        """
        if entry.messages_hash != question.request.messages_hash:
            raise MismatchError(
                f"The prompt for {question.request.item!r} has changed, but its version is still "
                f"{question.request.prompt_version!r}",
                where=self.path,
                fix="raise the prompt's version, or go back to the prompt that was used",
            )

    def close(self) -> None:
        """Finish what is being written and let go of the file."""
        if self._writer is not None:
            self._writer.close()
        self._reader.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, write: Callable[[sqlite3.Connection], Any]) -> Future[Any]:
        """Queue a write, all of it or nothing; what it returns is on the disk when the future is done."""
        if self._writer is None:
            raise ValueError("this ledger is open for reading only")
        return self._writer.submit(write)

    def rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, as they stand now."""
        with self._reading:
            rows = self._reader.execute(sql, values).fetchall()
        return iter(rows)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=60, check_same_thread=False)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        fresh = version == 0 and empty and self._lock is not None
        if not (fresh or 1 <= version <= tables.VERSION):
            connection.close()
            raise NounflowError(
                f"The ledger has format {version}, this program writes format {tables.VERSION}",
                where=self.path,
                fix="use the program that wrote it, or name another file; do not delete it, it holds paid answers",
            )
        if self._lock is None:
            if version < tables.VERSION:
                connection.executescript(tables.missing_tables_script(version))
            connection.execute("PRAGMA query_only = ON")
            return connection
        connection.execute("PRAGMA cache_size = -65536")  # KiB
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version < tables.VERSION:
            connection.executescript(tables.creation_script() if fresh else tables.upgrade_script(version))
        return connection

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with disk_errors(self.path):
                yield
        except Timeout:
            raise NounflowError(
                "Another process writes to this ledger", where=self.path, fix="wait until it has ended"
            ) from None
        except sqlite3.DatabaseError as error:
            raise DamagedFileError(
                f"The ledger cannot be opened ({error})",
                where=self.path,
                fix="restore it from a copy, or name another file",
            ) from error
