"""Asks a language model many questions at once, each paid once.

    with Ledger.open(path) as ledger:
        async with LLMClient(config, ledger) as client:
            async for outcome in client.ask(requests):
                ...

Outcomes come in the order in which they are known, not in that of the requests, and never all at once in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType

from nounflow.config.llm import LLMConfig
from nounflow.llm.answers import MalformedAnswerError, read_answer, read_usage
from nounflow.llm.budget import Budget
from nounflow.llm.faults import Fault
from nounflow.llm.ledger import Ending, Entry, How, Ledger
from nounflow.llm.pace import Pace, RunStoppedError
from nounflow.llm.portions import portions
from nounflow.llm.prices import price_of, settled_cost, worst_cost
from nounflow.llm.probe import ROOM, learnt, probe_request, weaker
from nounflow.llm.requests import Failure, Outcome, Question, Request, Status
from nounflow.llm.wire import Server, Wire

_Work = asyncio.Queue[tuple[Question, Entry | None] | None]
_Results = asyncio.Queue[Outcome | Failure | None]


class LLMClient:
    """One model at one server, one ledger, one budget. Use it as an async context manager."""

    def __init__(self, config: LLMConfig, ledger: Ledger) -> None:
        """Read the key from the environment and the money spent so far from the ledger.

        Raises:
            UnknownPriceError: the config gives no price for the model.
            NounflowError: there is no key.
        """
        self._config, self._ledger = config, ledger
        self._price = price_of(config)
        self._wire = Wire(config)
        self._budget = Budget(config.budget_usd, ledger.totals().spent_usd)
        self._learning = asyncio.Lock()
        self._server: Server | None = None
        self._run: int | None = None

    async def __aenter__(self) -> LLMClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.close()

    async def ask(self, requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[Outcome | Failure]:
        """Answer each request, from the ledger where it can.

        What is under way when the run must stop is awaited, kept and yielded before the error is raised.

        Raises:
            BudgetReachedError: the next request might cost more than is left.
            RunStoppedError: no access, a dead server, the deadline.
            MismatchError: a prompt has changed and its version has not.
        """
        pace = Pace(self._config)
        work: _Work = asyncio.Queue(self._config.concurrency)
        results: _Results = asyncio.Queue(self._config.concurrency)
        running = asyncio.create_task(self._run_all(requests, pace, work, results))
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

    async def learn_server(self) -> Server:
        """Send tiny requests until one shows what the server can do; once, then remembered.

        Raises:
            RunStoppedError: it understands none of them.
        """
        return await self._learn(Pace(self._config))

    async def _run_all(
        self, requests: Iterable[Request] | AsyncIterable[Request], pace: Pace, work: _Work, results: _Results
    ) -> None:
        """Feed, work, and put None behind the last result."""
        feeding = asyncio.create_task(self._feed(requests, pace, work, results))
        workers = [asyncio.create_task(self._work(pace, work, results)) for _ in range(self._config.concurrency)]
        try:
            await asyncio.gather(feeding, *workers)
            await results.put(None)
        finally:
            for task in (feeding, *workers):
                task.cancel()
            await asyncio.gather(feeding, *workers, return_exceptions=True)

    async def _feed(
        self, requests: Iterable[Request] | AsyncIterable[Request], pace: Pace, work: _Work, results: _Results
    ) -> None:
        """Replay what is known, hand out the rest."""
        try:
            async for portion in portions(requests):
                questions = [self._question(request) for request in portion]
                known = await asyncio.to_thread(self._ledger.look_up, [question.key for question in questions])
                for question in questions:
                    entry = known.get(question.key)
                    if entry is not None:
                        self._ledger.check_messages(question, entry)
                    if (outcome := self._replay(question, entry)) is not None:
                        await results.put(outcome)
                    else:
                        await work.put((question, entry))
                    if pace.stopped:
                        break
                if pace.stopped:
                    break
        except Exception as error:
            pace.stop(error)
        for _ in range(self._config.concurrency):
            await work.put(None)

    async def _work(self, pace: Pace, work: _Work, results: _Results) -> None:
        """Obtain answers until there is nothing left; after a stop, only empty the queue."""
        while (job := await work.get()) is not None:
            if pace.stopped:
                continue
            try:
                result = await self._obtain(pace, *job)
                if result is not None:
                    await results.put(result)
            except sqlite3.Error as error:
                pace.stop(
                    RunStoppedError(
                        f"The ledger cannot be written ({error})",
                        where=self._ledger.path,
                        fix="free some space on the disk, then run the same command again",
                    )
                )
            except Exception as error:
                pace.stop(error)

    def _question(self, request: Request) -> Question:
        parameters = request.parameters(self._config.temperature, self._config.max_output_tokens)
        return Question.of(request, self._config.model, parameters)

    def _replay(self, question: Question, entry: Entry | None) -> Outcome | None:
        """The outcome that the ledger holds; None if the server must be asked (again)."""
        if entry is None or entry.last is None:
            return None
        outcome = _outcome(question, entry.last, replayed=True)
        if outcome.status == "truncated" and entry.room < self._config.longest_output_tokens:
            return None
        return outcome

    async def _obtain(self, pace: Pace, question: Question, entry: Entry | None) -> Outcome | Failure | None:
        """Send a request until it is answered or given up; None when the run stops before."""
        server = await self._learn(pace)
        cut_off = entry is not None and entry.last is not None
        room = self._config.longest_output_tokens if cut_off else self._config.max_output_tokens
        while True:
            ended = await self._until_ended(pace, question, room, server)
            if ended is None:
                return None
            if ended.outcome == "failed":
                pace.given_up(ended.detail)
                return Failure(question.request, question.key, ended.detail)
            outcome = _outcome(question, ended, replayed=False)
            if ended.outcome == "refused":
                pace.given_up(ended.detail)
            if outcome.status != "truncated" or room >= self._config.longest_output_tokens:
                return outcome
            room = self._config.longest_output_tokens

    async def _until_ended(self, pace: Pace, question: Question, room: int, server: Server) -> Ending | None:
        """Send until there is an answer, a refusal or the last failure; None when the run stops before."""
        failures = 0
        while await pace.may_send():
            sent_at = pace.now()
            sent = await self._send(pace, question, room, server)
            if sent is None:
                return None
            ending, fault = sent
            if fault is None:
                pace.answered()
                return ending
            if fault.kind == "stop":
                raise RunStoppedError(
                    f"The server refuses all requests: {fault.detail}",
                    where=f"{self._config.base_url}, model {self._config.model}",
                    fix="check the key, the account, `base_url` and `model`, then run the same command again",
                )
            if fault.kind == "throttled":
                pace.throttled(sent_at, fault.wait_s, fault.detail)
                continue
            failures += 1
            if fault.kind == "refused" or failures >= self._config.max_attempts:
                return ending
            wait = max(pace.backoff(failures - 1) * _jitter(question.key), fault.wait_s or 0.0)
            await pace.sleep(min(wait, self._config.longest_wait_s))
        return None

    async def _send(
        self, pace: Pace, question: Question, room: int, server: Server
    ) -> tuple[Ending, Fault | None] | None:
        """One sending, with money set aside and the ledger written before and after; None when the run stops before."""
        worst = worst_cost(self._price, question.request, room)
        await self._budget.reserve(worst)
        charged = 0.0
        try:
            if pace.stopped:
                return None
            sending = await asyncio.wrap_future(
                self._ledger.record_sending(question, max_output_tokens=room, worst_usd=worst, run=self._run)
            )
            charged = worst
            body = await self._wire.send(question.request, room, server)
            ending, fault = self._ending(body, worst)
            await asyncio.wrap_future(self._ledger.record_ending(sending, ending))
            charged = ending.charged_usd
            return ending, fault
        finally:
            await self._budget.settle(worst, charged)

    def _ending(self, body: str | Fault, worst: float) -> tuple[Ending, Fault | None]:
        """What is written of a sending, and its fault if it brought no answer that can be read."""
        if isinstance(body, Fault):
            outcomes: dict[str, How] = {"throttled": "throttled", "refused": "refused"}
            outcome: How = outcomes.get(body.kind, "failed")
            return Ending(outcome, body.raw, body.detail, charged_usd=worst if body.maybe_paid else 0.0), body
        usage = read_usage(body)
        charged = settled_cost(self._price, usage, worst)
        try:
            read_answer(body)
        except MalformedAnswerError as error:
            return Ending("failed", body, str(error), usage, charged), Fault("retry", str(error))
        return Ending("answered", body, "", usage, charged), None

    async def _learn(self, pace: Pace) -> Server:
        async with self._learning:
            if self._server is None:
                self._server = await self._probe(pace)
                self._run = self._ledger.begin_run(self._config.base_url, self._config.model, self._server.as_dict())
            return self._server

    async def _probe(self, pace: Pace) -> Server:
        server: Server | None = Server()
        detail = "no answer"
        while server is not None:
            ending = await self._until_ended(pace, self._question(probe_request(server)), ROOM, server)
            if ending is None or ending.outcome == "failed":
                detail = ending.detail if ending is not None else detail
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


def _outcome(question: Question, ending: Ending, *, replayed: bool) -> Outcome:
    """Read an answer or refusal that the ledger holds."""
    usd = 0.0 if replayed else ending.charged_usd
    if ending.outcome == "refused":
        return Outcome(question.request, question.key, "refused", (), ending.detail, ending.usage, usd, replayed)
    answer = read_answer(ending.raw)
    status: Status = "truncated" if answer.truncated else "answered" if answer.texts else "refused"
    return Outcome(question.request, question.key, status, answer.texts, answer.refusal, ending.usage, usd, replayed)


def _jitter(key: str) -> float:
    """Between 0.75 and 1.25, so that requests which failed together do not return together."""
    return 0.75 + int(key[:4], 16) / 0x1_FFFE
