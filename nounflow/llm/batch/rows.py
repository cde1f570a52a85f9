"""Batches in the ledger: their lines, and every state they have been in.

A batch is `planned` (its lines are written), `uploaded` (the server has its input file), then in whatever state the
server says, and at last `read` or `abandoned`: closed, each of its lines with an ending.
"""

import asyncio
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from nounflow.llm import ledger_tables as tables
from nounflow.llm.ledger import Ledger
from nounflow.llm.records import Ending, insert_ending, insert_sending
from nounflow.llm.requests import Question


@dataclass(slots=True)
class Batch:
    """An open batch."""

    number: int
    token: str  # goes to the server as metadata, so that the batch is found again
    base_url: str
    model: str
    planned_at: float  # seconds since 1970
    prompt_tokens: int  # estimated; they count against the queue's limit
    state: str
    file_id: str = ""
    remote_id: str = ""
    created_at: float = 0.0  # as soon as its id is known
    worst_usd: float = 0.0  # set aside for the lines without an ending


@dataclass(slots=True)
class Line:
    """A request about to be sent in a batch."""

    question: Question
    room: int  # most tokens of the answer
    worst_usd: float


class BatchRows:
    """Reads and writes the ledger's batches; what a method has written is on the disk when it returns."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.now = ledger.now
        self.folder = ledger.path.parent

    async def plan(
        self, lines: Sequence[Line], *, run: int | None, base_url: str, model: str, prompt_tokens: int
    ) -> Batch:
        """Write a batch and all its lines, or nothing."""
        token, at = uuid.uuid4().hex, self.now()

        def write(connection: sqlite3.Connection) -> int:
            number = connection.execute(
                "INSERT INTO batches (token, run, planned_at, base_url, model, prompt_tokens) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (token, run, at, base_url, model, prompt_tokens),
            ).lastrowid
            assert number is not None
            sendings = [insert_sending(connection, line.question, run, at, line.room, line.worst_usd) for line in lines]
            connection.executemany("INSERT INTO batch_lines VALUES (?, ?)", ((sending, number) for sending in sendings))
            _insert_event(connection, number, at, "planned")
            return number

        number = await asyncio.wrap_future(self._ledger.submit(write))
        worst = sum(line.worst_usd for line in lines)
        return Batch(number, token, base_url, model, at, prompt_tokens, "planned", created_at=at, worst_usd=worst)

    async def note(self, batch: Batch, state: str, *, file_id: str = "", remote_id: str = "", detail: str = "") -> None:
        """Write the state that a batch is in now, and what the server calls it as soon as that is known."""
        at = self.now()
        file_id, remote_id = file_id or batch.file_id, remote_id or batch.remote_id
        if remote_id != batch.remote_id:
            batch.created_at = at
        number = batch.number
        await asyncio.wrap_future(
            self._ledger.submit(lambda c: _insert_event(c, number, at, state, file_id, remote_id, detail))
        )
        batch.state, batch.file_id, batch.remote_id = state, file_id, remote_id

    async def end(self, endings: Sequence[tuple[int, Ending]]) -> None:
        """Write how lines (numbers of sendings) ended."""
        at = self.now()
        await asyncio.wrap_future(self._ledger.submit(lambda c: _insert_endings(c, at, endings)))

    async def close(self, batch: Batch, state: str, endings: Sequence[tuple[int, Ending]], detail: str) -> None:
        """Write how the last lines ended, and that nothing of the batch is open any more: all or nothing."""
        at = self.now()

        def write(connection: sqlite3.Connection) -> None:
            _insert_endings(connection, at, endings)
            _insert_event(connection, batch.number, at, state, batch.file_id, batch.remote_id, detail)

        await asyncio.wrap_future(self._ledger.submit(write))
        batch.state = state

    def open(self) -> list[Batch]:
        """All open batches, the oldest first, of whatever server and model."""
        batches = [Batch(*row) for row in self._ledger.rows(tables.OPEN_BATCHES)]
        for batch in batches:
            batch.worst_usd = sum(worst for _, worst in self.lines(batch).values())
        return batches

    def lines(self, batch: Batch) -> dict[str, tuple[int, float]]:
        """Sending and worst cost by key, of the lines without an ending."""
        return {key: (sending, worst) for key, sending, worst in self._ledger.rows(tables.OPEN_LINES, batch.number)}


def _insert_event(
    connection: sqlite3.Connection,
    batch: int,
    at: float,
    state: str,
    file_id: str = "",
    remote_id: str = "",
    detail: str = "",
) -> None:
    connection.execute(
        "INSERT INTO batch_events (batch, at, state, file_id, remote_id, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (batch, at, state, file_id, remote_id, detail),
    )


def _insert_endings(connection: sqlite3.Connection, at: float, endings: Sequence[tuple[int, Ending]]) -> None:
    for sending, ending in endings:
        insert_ending(connection, sending, at, ending)
