"""Asks a language model many questions at once in files (Batch API). See `client` for how it is used.

What is to be asked waits in a pool until it fills a batch. What a batch leaves unanswered returns to the pool. Batches
that an earlier run has left are read before anything is asked that is in them.
"""

import dataclasses
import sqlite3
import tempfile
from collections.abc import AsyncIterator

from nounflow.atomic import disk_errors
from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.machine import BatchMachine
from nounflow.llm.batch.pool import Pool
from nounflow.llm.batch.rows import Batch, BatchJob, LineEnd
from nounflow.llm.budget import BudgetReachedError
from nounflow.llm.chat import ChatClient
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import chunks, cut_off, looked_up, outcome_of, replay, room_of
from nounflow.llm.pace import AGAIN, Pace, RunStoppedError, not_written
from nounflow.llm.prices import price_of
from nounflow.llm.requests import Outcome, Question, Request, Requests


class BatchClient:
    """A client that asks by the Batch API."""

    def __init__(self, config: LLMConfig, ledger: Ledger) -> None:
        """See `client.open_client`."""
        self._config, self._ledger = config, ledger
        # The tiny first request is a call of its own, at its own price; both draw on one budget.
        self._chat = ChatClient(config.model_copy(update={"mode": "chat"}), ledger)
        self._machine = BatchMachine(config, ledger, self._chat.budget)

    async def __aenter__(self) -> "BatchClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._machine.close()
        await self._chat.__aexit__(*error)

    async def ask(self, requests: Requests) -> AsyncIterator[Outcome]:
        """As `ChatClient.ask`; what is under way when the asker or the run stops is read by the next one."""
        asking = _Asking(self._config, self._ledger, self._chat, self._machine)
        try:
            async for result in asking.results(requests):
                yield result
        except sqlite3.Error as error:
            raise not_written(self._ledger.path, error) from error


class _Asking:
    """One call of `ask`."""

    def __init__(self, config: LLMConfig, ledger: Ledger, chat: ChatClient, machine: BatchMachine) -> None:
        self._config, self._ledger, self._chat, self._machine = config, ledger, chat, machine
        self._pace = Pace(config)
        self._pool = Pool(config, price_of(config))
        self._waiting: dict[str, BatchJob] = {}  # in batches
        self._blocked = False  # the next batch needs what those under way hold
        self._barren = 0  # batches in a row that brought no answer

    async def results(self, requests: Requests) -> AsyncIterator[Outcome]:
        """Fill the pool, send what fills a batch, look at the batches; again until all is answered."""
        self._machine.adopt()
        feed, fed = chunks(requests), False
        while True:
            while not fed and not self._pool.full:
                chunk = await anext(feed, None)
                fed = chunk is None
                for result in await self._look_up(chunk or []):
                    yield result
            while await self._submit():
                pass
            if fed and not self._pool.jobs and not self._waiting:
                return
            changed = False
            for batch in list(self._machine.open.values()):
                async for result in self._advance(batch):
                    yield result
                changed = changed or batch.number not in self._machine.open
            if not changed:
                await self._rest()

    async def _look_up(self, chunk: list[Request]) -> list[Outcome]:
        """Replay what is known, wait for what is under way, put the rest into the pool."""
        results: list[Outcome] = []
        for question, entry in await looked_up(self._config, self._ledger, chunk):
            same = self._waiting.get(question.key) or self._pool.jobs.get(question.key)
            job = BatchJob(question, room_of(self._config, entry), cut_off(question, entry))
            if same is not None:
                same.others += 1
            elif (outcome := replay(self._config, question, entry)) is not None:
                results.append(outcome)
            elif entry is not None and entry.batch is not None:
                self._check_is_ours(question, entry.batch)
                self._waiting[question.key] = job
            elif not self._pool.add(job):
                detail = "larger than a batch may be (`max_bytes`, `max_queued_tokens`)"
                results.append(Outcome(question.request, question.key, "failed", detail=detail))
        return results

    async def _submit(self) -> bool:
        """Send the next batch; False when there is none, or others must end first."""
        under_way = self._machine.open
        if (
            not self._pool.jobs
            or self._blocked
            or self._pace.held_s() > 0
            or len(under_way) >= self._config.batch.max_open_batches
        ):
            return False
        try:
            server = await self._chat.learn(self._pace)
        except BudgetReachedError:
            if not under_way:
                raise
            self._blocked = True  # what is under way at its worst price may leave enough
            return False
        folder, budget = self._ledger.path.parent, self._chat.budget
        with disk_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
            queued = sum(batch.prompt_tokens for batch in under_way.values())
            jobs, short = self._pool.draft(server, file, queued, budget.left)
            # Crumbs of the queue or of the budget are not worth a batch while others may give back more.
            self._blocked = short and bool(under_way)
            if self._blocked:
                return False
            if not jobs:
                raise budget.reached(next(iter(self._pool.jobs.values())).worst_usd)
            self._pool.take(jobs)
            self._waiting |= {job.question.key: job for job in jobs}
            await self._machine.submit(jobs, file, self._chat.run, self._pace)
        return True

    async def _advance(self, batch: Batch) -> AsyncIterator[Outcome]:
        """Look at a batch; yields what it brought."""
        answered, given_up = False, []
        async for ends in self._machine.advance(batch, self._pace):
            answered = answered or any(end.fault is None for end in ends)
            for result in [result for end in ends for result in self._take(end)]:
                if result.status in ("failed", "refused"):
                    given_up.append(result.detail)
                yield result
        if batch.number in self._machine.open:
            return
        self._blocked = False
        if answered:
            self._barren = 0
            self._pace.answered()
            return
        self._pace.hold(self._pace.backoff(self._barren))
        self._barren += 1
        for detail in given_up:
            self._pace.given_up(detail)

    def _take(self, end: LineEnd) -> list[Outcome]:
        """What the asker gets of a line; nothing if it returns to the pool, or nobody asks (any more)."""
        job = self._waiting.pop(end.key, None)
        if job is None:
            return []
        if end.fault is None or end.fault.kind == "refused":
            outcome = outcome_of(job.question, end.ending, replayed=False)
            if outcome.status != "truncated" or job.room >= self._config.max_retry_tokens:
                return [outcome, *[dataclasses.replace(outcome, usd=0.0, replayed=True)] * job.others]
            job.room, job.failures = self._config.max_retry_tokens, 0
            job.cut_off = outcome if outcome.texts else None
        else:
            job.failures += end.fault.kind == "retry"
            if end.fault.kind == "unfit" or job.failures >= self._config.max_attempts:
                failed = Outcome(job.question.request, job.question.key, "failed", detail=end.fault.detail)
                return [job.cut_off or failed] * (1 + job.others)
        self._pool.add(job)
        return []

    async def _rest(self) -> None:
        """Wait until it is time to look again.

        Raises:
            RunStoppedError: the deadline is over.
        """
        if self._pace.late:
            state = self._machine.describe()
            raise self._pace.deadline(f"; still under way: {state}" if state else "")
        await self._pace.sleep(max(self._config.batch.poll_s if self._machine.open else 0.0, self._pace.held_s()))

    def _check_is_ours(self, question: Question, number: int) -> None:
        if number not in self._machine.open:
            raise RunStoppedError(
                f"The request for {question.request.item!r} is under way in a batch of another server "
                f"(number {number} of the ledger)",
                where="`base_url`",
                fix=f"name that server again until the batch is read; asked here, it would be paid twice; then {AGAIN}",
            )
