"""Asks a language model many questions at once, one call each. See `client` for how it is used."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import asdict

from nounflow.config.llm import LLMConfig
from nounflow.llm.answers import read_answer
from nounflow.llm.budget import Budget
from nounflow.llm.faults import Fault
from nounflow.llm.http import ChatHttp, Server
from nounflow.llm.ledger import Ledger
from nounflow.llm.limiter import Limiter
from nounflow.llm.outcomes import chunks, cut_off, ending_of, looked_up, outcome_of, question_of, replay, room_of
from nounflow.llm.pace import Pace, RunStoppedError, not_written, refused
from nounflow.llm.prices import price_of, prompt_tokens_estimate, worst_cost
from nounflow.llm.probe import ROOM, learnt, probe_request, weaker
from nounflow.llm.records import Ending, LedgerEntry
from nounflow.llm.requests import Outcome, Question, Requests

_Results = asyncio.Queue[Outcome | None]
_Job = tuple[Question, LedgerEntry | None]


class ChatClient:
    """A client that asks by chat completions."""

    def __init__(self, config: LLMConfig, ledger: Ledger) -> None:
        """See `client.open_client`."""
        self._config, self._ledger = config, ledger
        self._price = price_of(config)
        self._limiter = Limiter(config)
        self._http = ChatHttp(config, lambda headers: self._limiter.heed(headers, asyncio.get_running_loop().time()))
        self.budget = Budget(config.budget_usd, ledger.totals().spent_usd)
        self._learning = asyncio.Lock()
        self._server: Server | None = None
        self.run: int | None = None  # its number in the ledger, once the server is known

    async def __aenter__(self) -> "ChatClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.close()

    async def ask(self, requests: Requests) -> AsyncIterator[Outcome]:
        """Answer each request, from the ledger where it can. What is under way when the run must stop is awaited, kept
        and yielded before the error is raised.

        Raises:
            BudgetReachedError: the next request might cost more than is left.
            RunStoppedError: no access, a dead server, the deadline.
            MismatchError: a prompt has changed and its version has not.
        """
        pace = Pace(self._config)
        results: _Results = asyncio.Queue(self._config.concurrency)
        running = asyncio.create_task(self._run_all(requests, pace, results))
        try:
            while (result := await results.get()) is not None:
                yield result
            if pace.error is not None:
                raise pace.error
        except GeneratorExit:  # the asker wants no more: what is under way is paid, so it is awaited and kept
            pace.stop(None)
            while await results.get() is not None:
                pass
            raise
        finally:
            pace.stop(None)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def _run_all(self, requests: Requests, pace: Pace, results: _Results) -> None:
        """Let workers share the requests, and put None behind the last result."""
        jobs, turn = self._jobs(requests), asyncio.Lock()
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._config.concurrency):
                workers.create_task(self._work(jobs, turn, pace, results))
        await results.put(None)

    async def _jobs(self, requests: Requests) -> AsyncIterator[_Job]:
        """Each request as a question, and what the ledger knows of it."""
        async for chunk in chunks(requests):
            for question, entry in await looked_up(self._config, self._ledger, chunk):
                if entry is not None:
                    _check_not_in_batch(question, entry)
                yield question, entry

    async def _work(self, jobs: AsyncIterator[_Job], turn: asyncio.Lock, pace: Pace, results: _Results) -> None:
        """Replay or obtain answers until there is nothing left or the run stops."""
        while not pace.stopped:
            try:
                async with turn:
                    job = await anext(jobs, None)
                if job is None:
                    return
                result = replay(self._config, *job) or await self._obtain(pace, *job)
                if result is not None:
                    await results.put(result)
            except sqlite3.Error as error:
                pace.stop(not_written(self._ledger.path, error))
            except Exception as error:
                pace.stop(error)

    async def _obtain(self, pace: Pace, question: Question, entry: LedgerEntry | None) -> Outcome | None:
        """Send a request until it is answered or given up; None when the run stops before."""
        server = await self.learn(pace)
        room, outcome = room_of(self._config, entry), cut_off(question, entry)
        while True:
            ended = await self._until_ended(pace, question, room, server)
            if ended is None:
                return None
            if ended.outcome == "failed":
                if outcome is None or not ended.detail.startswith("HTTP 4"):  # else the model has no more room
                    pace.given_up(ended.detail)
                return outcome or Outcome(question.request, question.key, "failed", detail=ended.detail)
            outcome = outcome_of(question, ended, replayed=False)
            if ended.outcome == "refused":
                pace.given_up(ended.detail)
            if outcome.status != "truncated" or room >= self._config.max_retry_tokens:
                return outcome
            room = self._config.max_retry_tokens

    async def _until_ended(self, pace: Pace, question: Question, room: int, server: Server) -> Ending | None:
        """Send until there is an answer, a refusal or the last failure; None when the run stops before."""
        failures = 0
        tokens = prompt_tokens_estimate(question.request) + room * question.request.choices
        while await self._limiter.admit(pace, tokens):
            sent_at = pace.now()
            sent = await self._send(pace, question, room, server)
            if sent is None:
                return None
            ending, fault = sent
            if fault is None:
                pace.answered()
                return ending
            if fault.kind == "stop":
                raise refused(self._config, fault.detail)
            if fault.kind == "throttled":
                pace.throttled(sent_at, fault.wait_s, fault.detail)
                continue
            failures += 1
            if fault.kind in ("refused", "unfit") or failures >= self._config.max_attempts:
                return ending
            wait = max(pace.backoff(failures - 1) * _jitter(question.key), fault.wait_s or 0.0)
            await pace.sleep(min(wait, self._config.max_wait_s))
        return None

    async def _send(
        self, pace: Pace, question: Question, room: int, server: Server
    ) -> tuple[Ending, Fault | None] | None:
        """One sending, with money set aside and the ledger written before and after; None when the run stops before."""
        worst = worst_cost(self._price, question.request, room)
        await self.budget.reserve(worst)
        charged = 0.0
        try:
            if pace.stopped:
                return None
            sending = await asyncio.wrap_future(
                self._ledger.record_sending(question, max_output_tokens=room, worst_usd=worst, run=self.run)
            )
            charged = worst
            body = await self._http.send(question.request, room, server)
            ending, fault = ending_of(body, self._price, worst)
            await asyncio.wrap_future(self._ledger.record_ending(sending, ending))
            charged = ending.charged_usd
            return ending, fault
        finally:
            await self.budget.settle(worst, charged)

    async def learn(self, pace: Pace) -> Server:
        """Send tiny requests until one shows what the server can do; once, then remembered.

        Raises:
            RunStoppedError: it understands none of them.
        """
        async with self._learning:
            if self._server is None:
                self._server = await self._probe(pace)
                self.run = self._ledger.begin_run(self._config.base_url, self._config.model, asdict(self._server))
            return self._server

    async def _probe(self, pace: Pace) -> Server:
        server: Server | None = Server()
        detail = "no answer"
        while server is not None:
            ending = await self._until_ended(pace, question_of(self._config, probe_request(server)), ROOM, server)
            if ending is None:
                break
            if ending.outcome == "failed" and not ending.detail.startswith("HTTP 4"):  # a weaker one may pass
                detail = ending.detail
                break
            if ending.outcome == "answered":
                return learnt(server, read_answer(ending.raw), ending.usage)
            detail = ending.detail
            server = weaker(server, detail)
        raise RunStoppedError(
            f"A first, tiny request got no answer: {detail}",
            where=f"{self._config.base_url}, model {self._config.model}",
            fix="check that the server runs and knows the model and its `temperature`, then run the same command again",
        )


def _jitter(key: str) -> float:
    """Between 0.75 and 1.25, so that requests which failed together do not return together."""
    return 0.75 + int(key[:4], 16) / 0x1_FFFE


def _check_not_in_batch(question: Question, entry: LedgerEntry) -> None:
    if entry.batch is not None:
        raise RunStoppedError(
            f"The request for {question.request.item!r} is under way in a batch (number {entry.batch} of the ledger)",
            where="`mode: chat`",
            fix="run with `mode: batch` until the batch is read; asked now, it would be paid twice",
        )
