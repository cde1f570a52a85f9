"""One thread that writes to SQLite, many writes a commit, so that durable writes do not cost an fsync each."""

import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_MOST_WRITES = 512  # in one commit

Write = Callable[[sqlite3.Connection], Any]


class GroupWriter:
    """Runs functions on a connection, in the order of `submit`; a future is done when its write is on the disk."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._thread = ThreadPoolExecutor(1, "group writer")
        self._waiting: deque[tuple[Write, Future[Any]]] = deque()
        self._connection = self._thread.submit(connect).result()

    def submit(self, write: Write) -> Future[Any]:
        """Queue a write. One that raises is undone alone, and its future raises the same."""
        future: Future[Any] = Future()
        self._waiting.append((write, future))
        self._thread.submit(self._commit)
        return future

    def close(self) -> None:
        """Finish what is queued."""
        self._thread.shutdown()
        self._connection.close()

    def _commit(self) -> None:
        """Write what is waiting; nothing where an earlier commit has taken it."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_WRITES))]
        if not batch:
            return
        done: list[tuple[Future[Any], Any]] = []
        failed: list[tuple[Future[Any], BaseException]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write, future in batch:
                self._connection.execute("SAVEPOINT one")
                try:
                    done.append((future, write(self._connection)))
                except BaseException as error:
                    self._connection.execute("ROLLBACK TO one")
                    failed.append((future, error))
                self._connection.execute("RELEASE one")
            self._connection.execute("COMMIT")
        except BaseException as error:  # a full disk, say: nothing of the batch is kept
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            failed, done = [(future, error) for _, future in batch], []
        # A future that nobody waits for any more has been cancelled; its write stands all the same.
        for future, result in done:
            if future.set_running_or_notify_cancel():
                future.set_result(result)
        for future, reason in failed:
            if future.set_running_or_notify_cancel():
                future.set_exception(reason)
