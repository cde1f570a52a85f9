"""One thread that writes to SQLite, many writes a commit, so that durable writes do not cost an fsync each."""

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_MOST_WRITES = 512  # in one commit

Write = Callable[[sqlite3.Connection], Any]
_Job = tuple[Write, "Future[Any]"]


class GroupWriter:
    """Runs functions on a connection, in the order of `submit`; a future is done when its write is on the disk."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, args=(connect, opened), name="group writer", daemon=True)
        self._thread.start()
        opened.result()

    def submit(self, write: Write) -> Future[Any]:
        """Queue a write. One that raises is undone alone, and its future raises the same."""
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise ValueError("the file is closed")
            self._jobs.put((write, future))
        return future

    def close(self) -> None:
        """Finish what is queued."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _work(self, connect: Callable[[], sqlite3.Connection], opened: Future[None]) -> None:
        try:
            connection = connect()
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(None)
        more = True
        while more:
            batch, more = self._next_batch()
            self._commit(connection, batch)
        connection.close()

    def _next_batch(self) -> tuple[list[_Job], bool]:
        """Whatever is waiting, one at least; and whether more may come."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == _MOST_WRITES:
                return batch, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    @staticmethod
    def _commit(connection: sqlite3.Connection, batch: list[_Job]) -> None:
        if not batch:
            return
        done: list[tuple[Future[Any], Any]] = []
        failed: list[tuple[Future[Any], BaseException]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write, future in batch:
                connection.execute("SAVEPOINT one")
                try:
                    done.append((future, write(connection)))
                except BaseException as error:
                    connection.execute("ROLLBACK TO one")
                    failed.append((future, error))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except BaseException as error:  # a full disk, say: nothing of the batch is kept
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failed, done = [(future, error) for _, future in batch], []
        # A future that nobody waits for any more has been cancelled; its write stands all the same.
        for future, result in done:
            if future.set_running_or_notify_cancel():
                future.set_result(result)
        for future, reason in failed:
            if future.set_running_or_notify_cancel():
                future.set_exception(reason)
