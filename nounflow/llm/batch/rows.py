"""Batches in the ledger and in the budget: their lines, and every state they have been in.

A batch is `planned` (its lines are written), `uploaded` (the server has its input file), then in whatever state the
server says, and at last `read` or `abandoned`: closed, each of its lines with an ending.
"""

import asyncio
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nounflow.config.llm import LLMConfig
from nounflow.llm import ledger_tables as tables
from nounflow.llm.batch.files import Result
from nounflow.llm.budget import Budget
from nounflow.llm.faults import Fault
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import ending_of
from nounflow.llm.prices import price_of
from nounflow.llm.records import Ending, insert_ending, insert_sending
from nounflow.llm.requests import Outcome, Question

_INSERT_EVENT = "INSERT INTO batch_events (batch, at, state, file_id, remote_id, detail) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class BatchJob:
    """A question that is asked, in the pool or as a line of a batch."""

    question: Question
    room: int  # most tokens of the answer
    cut_off: Outcome | None = None  # what there is of an answer with less room
    failures: int = 0
    others: int = 0  # further requests with the same key
    tokens: int = 0  # of its prompt, estimated; this and the following are known once it is in the pool
    bytes: int = 0  # of its line
    worst_usd: float = 0.0  # the most that it can cost


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
class LineEnd:
    """How a line ended; it is in the ledger."""

    key: str
    sending: int  # its number in the ledger
    ending: Ending
    fault: Fault | None


class BatchRows:
    """Reads and writes the ledger's batches; what a method has written is on the disk when it returns."""

    def __init__(self, config: LLMConfig, ledger: Ledger, budget: Budget) -> None:
        self._config, self._ledger, self._budget = config, ledger, budget
        self._price = price_of(config)
        self.now = ledger.now
        self.folder = ledger.path.parent

    async def plan(self, jobs: Sequence[BatchJob], *, run: int | None) -> Batch:
        """Write a batch and all its lines, or nothing; what it may cost is set aside."""
        token, at = uuid.uuid4().hex, self.now()
        base_url, model, prompt_tokens = self._config.base_url, self._config.model, sum(job.tokens for job in jobs)

        def write(connection: sqlite3.Connection) -> int:
            number = connection.execute(
                "INSERT INTO batches (token, run, planned_at, base_url, model, prompt_tokens) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (token, run, at, base_url, model, prompt_tokens),
            ).lastrowid
            assert number is not None
            sendings = [insert_sending(connection, job.question, run, at, job.room, job.worst_usd) for job in jobs]
            connection.executemany("INSERT INTO batch_lines VALUES (?, ?)", ((sending, number) for sending in sendings))
            connection.execute(_INSERT_EVENT, (number, at, "planned", "", "", ""))
            return number

        number = await asyncio.wrap_future(self._ledger.submit(write))
        worst = sum(job.worst_usd for job in jobs)
        self._budget.set_aside(worst)
        return Batch(number, token, base_url, model, at, prompt_tokens, "planned", created_at=at, worst_usd=worst)

    async def note(self, batch: Batch, state: str, *, file_id: str = "", remote_id: str = "", detail: str = "") -> None:
        """Write the state that a batch is in now, and what the server calls it as soon as that is known."""
        at = self.now()
        file_id, remote_id = file_id or batch.file_id, remote_id or batch.remote_id
        if remote_id != batch.remote_id:
            batch.created_at = at
        event = (batch.number, at, state, file_id, remote_id, detail)
        await asyncio.wrap_future(self._ledger.submit(lambda connection: connection.execute(_INSERT_EVENT, event)))
        batch.state, batch.file_id, batch.remote_id = state, file_id, remote_id

    async def end(
        self, batch: Batch, results: Iterable[Result], pending: dict[str, tuple[int, float]]
    ) -> list[LineEnd]:
        """Write how lines ended; results that nobody asked for, or that come twice, are left out.

        Args:
            pending: sending and worst cost by key, of the lines without an ending; those that end now are removed.
        """
        ends, reserved = list[LineEnd](), 0.0
        for result in results:
            if (line := pending.pop(result.key, None)) is not None:
                ends.append(LineEnd(result.key, line[0], *ending_of(result.body, self._price, line[1])))
                reserved += line[1]
        await self._write_ends(batch, ends, reserved)
        return ends

    async def close(self, batch: Batch, state: str, fault: Fault) -> list[LineEnd]:
        """End the lines that are left with a fault, so that nothing of the batch is open any more: all or nothing."""
        ends = [
            LineEnd(key, sending, *ending_of(fault, self._price, worst))
            for key, (sending, worst) in self.lines(batch).items()
        ]
        detail = fault.detail if ends else ""
        event = (batch.number, self.now(), state, batch.file_id, batch.remote_id, detail)
        await self._write_ends(batch, ends, batch.worst_usd, event)
        batch.state = state
        return ends

    def open(self) -> list[Batch]:
        """All open batches, the oldest first, of whatever server and model."""
        batches = [Batch(*row) for row in self._ledger.rows(tables.OPEN_BATCHES)]
        for batch in batches:
            batch.worst_usd = sum(worst for _, worst in self.lines(batch).values())
        return batches

    def lines(self, batch: Batch) -> dict[str, tuple[int, float]]:
        """Sending and worst cost by key, of the lines without an ending."""
        return {key: (sending, worst) for key, sending, worst in self._ledger.rows(tables.OPEN_LINES, batch.number)}

    async def _write_ends(
        self, batch: Batch, ends: list[LineEnd], reserved: float, event: tuple[object, ...] | None = None
    ) -> None:
        """Write endings and, if there is one, an event; then settle with the budget."""
        at = self.now()

        def write(connection: sqlite3.Connection) -> None:
            for end in ends:
                insert_ending(connection, end.sending, at, end.ending)
            if event is not None:
                connection.execute(_INSERT_EVENT, event)

        await asyncio.wrap_future(self._ledger.submit(write))
        self._budget.release(reserved, sum(end.ending.charged_usd for end in ends))
        batch.worst_usd -= reserved
