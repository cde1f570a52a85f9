"""The life of a batch: planned, uploaded, created, in progress, ended, read. Each step is in the ledger.

Whoever stops at any step and comes back goes on from the state that the ledger has: a batch that was never uploaded
is abandoned, one that may have been created is looked for at the server, one that has ended is read again.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import IO

from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.files import Result, read_results
from nounflow.llm.batch.http import ENDED, BatchHttp, Remote
from nounflow.llm.batch.rows import Batch, BatchRows, Line
from nounflow.llm.budget import Budget
from nounflow.llm.faults import Fault, fault_of_code
from nounflow.llm.outcomes import ending_of
from nounflow.llm.pace import AGAIN, Pace, RunStoppedError, refused
from nounflow.llm.prices import price_of
from nounflow.llm.records import Ending
from nounflow.llm.retry import passing, retry

_CHUNK = 500  # lines of results written and handed on at a time
_SAY_S = 60.0  # between two lines about a batch that has not changed


@dataclass(slots=True)
class LineEnd:
    """How a line ended; it is in the ledger."""

    key: str
    ending: Ending
    fault: Fault | None


class BatchMachine:
    """Moves the open batches of one server and model from state to state."""

    def __init__(self, config: LLMConfig, rows: BatchRows, budget: Budget) -> None:
        self._config, self._rows, self._budget = config, rows, budget
        self._price = price_of(config)
        self._http = BatchHttp(config)
        self.open: dict[int, Batch] = {}
        self._said: dict[int, tuple[str, float]] = {}  # what was last said of a batch, and when
        self._cancelled: set[int] = set()
        self._silent: Counter[int] = Counter()  # looks in a row that have shown nothing, by batch
        self._earlier = {batch.number for batch in rows.open()}  # their worst case counts as spent

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def adopt(self) -> None:
        """Take over the open batches that earlier runs have left in the ledger."""
        for batch in self._rows.open():
            ours = (batch.base_url, batch.model) == (self._config.base_url, self._config.model)
            if ours and batch.number not in self.open:
                self.open[batch.number] = batch
                if batch.number in self._earlier:
                    self._budget.adopt(batch.worst_usd)
                else:
                    self._budget.set_aside(batch.worst_usd)

    def describe(self) -> str:
        """The open batches in words."""
        return ", ".join(self._said.get(n, (self._name(batch), 0.0))[0] for n, batch in self.open.items())

    async def submit(
        self, lines: Sequence[Line], file: IO[bytes], prompt_tokens: int, run: int | None, pace: Pace
    ) -> None:
        """Write a batch, upload its file, create it at the server.

        Raises:
            RunStoppedError: it cannot be done.
        """
        batch = await self._rows.plan(
            lines, run=run, base_url=self._config.base_url, model=self._config.model, prompt_tokens=prompt_tokens
        )
        self._budget.set_aside(batch.worst_usd)
        self.open[batch.number] = batch
        name = f"nounflow-{batch.token}.jsonl"
        file_id = await retry(self._config, pace, lambda: self._http.upload(name, file))
        if isinstance(file_id, Fault):
            raise self._impossible("The input file of a batch cannot be uploaded", file_id)
        await self._rows.note(batch, "uploaded", file_id=file_id)
        # A file may not be readable right after its upload, so "not found" or "bad request" is tried again. After any
        # other failure there may be a batch all the same: `advance` looks for it.
        remote = await retry(
            self._config,
            pace,
            lambda: self._http.create(file_id, batch.token),
            again=lambda fault: fault.status in (400, 404),
        )
        if isinstance(remote, Remote):
            await self._created(batch, remote)
        elif remote.kind != "retry":
            raise self._impossible("A batch cannot be created", remote)

    async def advance(self, batch: Batch, pace: Pace) -> AsyncIterator[list[LineEnd]]:
        """Look at a batch and do what its state asks for.

        Yields:
            The lines that have ended, in chunks, once they are in the ledger. Behind the last, the batch is closed.

        Raises:
            RunStoppedError: no access, a server that is gone or has lost a batch, results that cannot be read.
        """
        if batch.state == "planned" or (batch.state == "uploaded" and not await self._find(batch, pace)):
            yield await self._close(batch, "abandoned", Fault("retry", "its batch was not created"))
            return
        remote = await self._look(batch, pace)
        if isinstance(remote, Fault):
            yield await self._close(batch, "abandoned", remote)
        elif remote is not None and remote.status in ENDED:
            async for ends in self._read(batch, remote, pace):
                yield ends

    async def _created(self, batch: Batch, remote: Remote) -> None:
        await self._rows.note(batch, remote.status, remote_id=remote.id)
        self._say(batch, remote)

    async def _find(self, batch: Batch, pace: Pace) -> bool:
        """Whether a batch that may have been created was: it is looked for before another is made.

        Without its input file no batch can start that the server has not heard of yet, so the file is removed in
        between, and "no" is final.
        """
        for final in (False, True):
            remote = await retry(
                self._config, pace, lambda: self._http.find(batch.file_id, batch.token, batch.planned_at)
            )
            if isinstance(remote, Remote):
                await self._created(batch, remote)
                return True
            if isinstance(remote, Fault):
                raise self._impossible("The server does not say whether it has a batch", remote)
            if not final:
                deleted = await retry(self._config, pace, lambda: self._http.delete(batch.file_id))
                if isinstance(deleted, Fault) and passing(deleted):
                    raise self._impossible("The input file of a batch cannot be removed", deleted)
        return False

    async def _look(self, batch: Batch, pace: Pace) -> Remote | Fault | None:
        """The batch as the server has it, a fault if it is lost for good, None if the server does not say."""
        if self._old(batch) and batch.state not in ENDED and batch.number not in self._cancelled:
            answer = await self._http.cancel(batch.remote_id)
            if not isinstance(answer, Fault) or answer.kind == "refused":  # it may have ended in between
                self._cancelled.add(batch.number)
                self._print(f"{self._name(batch)}: cancelled, as `max_wait_s` is over")
        sent_at = pace.now()
        remote = await self._http.retrieve(batch.remote_id)
        if isinstance(remote, Remote):
            if remote.status != batch.state:
                await self._rows.note(batch, remote.status, detail=remote.errors)
            self._say(batch, remote)
            if remote.status in ENDED and remote.completed and not remote.output_file_id:
                self._silent[batch.number] += 1  # answers, and no file of them yet
                return remote if self._silent[batch.number] >= self._config.max_attempts else None
            self._silent[batch.number] = 0
            return remote
        self._silent[batch.number] += 1
        if remote.kind == "throttled":
            pace.throttled(sent_at, remote.wait_s, remote.detail)
        elif remote.status == 404 and self._silent[batch.number] >= self._config.max_attempts:
            if not self._old(batch):
                raise self._lost(batch, remote)
            return Fault("retry", f"the server has lost its batch ({remote.detail})", maybe_paid=True)
        elif remote.kind == "stop" and remote.status != 404:
            raise refused(self._config, remote.detail)
        elif self._silent[batch.number] >= self._config.failures_in_a_row:
            raise self._impossible(f"The server does not say how {self._name(batch)} stands", remote)
        return None

    async def _read(self, batch: Batch, remote: Remote, pace: Pace) -> AsyncIterator[list[LineEnd]]:
        """Bring what an ended batch has answered into the ledger; the rest returns to the asker as faults."""
        with (
            tempfile.TemporaryFile(dir=self._rows.folder) as output,
            tempfile.TemporaryFile(dir=self._rows.folder) as errors,
        ):
            whole = await self._fetch(batch, remote.output_file_id, output, remote.completed, pace)
            whole &= await self._fetch(batch, remote.error_file_id, errors, 0, pace)
            pending = self._rows.lines(batch)
            lines = itertools.chain(read_results(output, self._http.strike), read_results(errors, self._http.strike))
            results = (line for line in lines if line is not None)
            stop: Fault | None = None
            while chunk := list(itertools.islice(results, _CHUNK)):
                ends = await self._end(batch, chunk, pending)
                stop = stop or next((end.fault for end in ends if end.fault and end.fault.kind == "stop"), None)
                yield ends
        last = await self._close(batch, "read", _fault_of_rest(remote, maybe_paid=not whole))
        stop = stop or next((end.fault for end in last if end.fault and end.fault.kind == "stop"), None)
        yield last
        if stop is not None:
            raise refused(self._config, stop.detail)

    async def _fetch(self, batch: Batch, file_id: str, target: IO[bytes], expected: int, pace: Pace) -> bool:
        """Download results, again while there are fewer lines than the server counts; whether they are all there."""
        if not file_id:
            return expected == 0
        fault: Fault | None = None
        for attempt in range(self._config.max_attempts):
            done = await self._http.download(file_id, target)
            fault = done if isinstance(done, Fault) else None
            if fault is None and _is_whole(target, expected):
                return True
            if fault is not None and fault.kind == "stop" and fault.status != 404:
                raise refused(self._config, fault.detail)
            await pace.sleep(max(pace.backoff(attempt), (fault.wait_s or 0.0) if fault else 0.0))
        if fault is not None and not self._old(batch):
            raise self._impossible(f"The results of {self._name(batch)} cannot be read", fault)
        return False

    async def _end(self, batch: Batch, results: list[Result], pending: dict[str, tuple[int, float]]) -> list[LineEnd]:
        """Write results; lines that nobody asked for, or that come twice, are left out."""
        ends, rows, reserved = [], [], 0.0
        for result in results:
            if result.key not in pending:
                continue
            sending, worst = pending.pop(result.key)
            ending, fault = ending_of(result.body, self._price, worst)
            ends.append(LineEnd(result.key, ending, fault))
            rows.append((sending, ending))
            reserved += worst
        await self._rows.end(rows)
        self._settle(batch, reserved, rows)
        return ends

    async def _close(self, batch: Batch, state: str, fault: Fault) -> list[LineEnd]:
        """End the lines that are left with a fault, and the batch."""
        ends, rows = [], []
        for key, (sending, worst) in self._rows.lines(batch).items():
            ending, _ = ending_of(fault, self._price, worst)
            ends.append(LineEnd(key, ending, fault))
            rows.append((sending, ending))
        await self._rows.close(batch, state, rows, fault.detail if ends else "")
        self._settle(batch, batch.worst_usd, rows)
        del self.open[batch.number]
        self._print(f"batch {batch.number}: {state}" + (f"; {len(ends):,} unanswered ({fault.detail})" if ends else ""))
        return ends

    def _settle(self, batch: Batch, reserved: float, rows: list[tuple[int, Ending]]) -> None:
        self._budget.release(reserved, sum(ending.charged_usd for _, ending in rows))
        batch.worst_usd -= reserved

    def _old(self, batch: Batch) -> bool:
        return self._rows.now() - batch.created_at > self._config.batch.max_wait_s

    def _name(self, batch: Batch) -> str:
        return f"batch {batch.number} ({batch.remote_id or 'no id yet'}, {batch.state})"

    def _lost(self, batch: Batch, fault: Fault) -> RunStoppedError:
        return RunStoppedError(
            f"The server does not know {self._name(batch)}: {fault.detail}",
            where=self._config.base_url,
            fix="use the key that it was created with; if it is gone for good, its requests are asked again once it is "
            "older than `max_wait_s` of `batch`",
        )

    def _impossible(self, what: str, fault: Fault) -> RunStoppedError:
        if fault.status in (404, 405):
            fix = "use `mode: chat` if the server has no Batch API; else " + AGAIN
            return RunStoppedError(f"{what}: {fault.detail}", where=self._config.base_url, fix=fix)
        if fault.kind == "stop":
            return refused(self._config, fault.detail)
        return RunStoppedError(f"{what}: {fault.detail}", where=self._config.base_url, fix=AGAIN)

    def _say(self, batch: Batch, remote: Remote) -> None:
        """A line when something has changed, or now and then."""
        text = self._name(batch) + (f", {remote.completed:,} of {remote.total:,} answered" if remote.total else "")
        known, at = self._said.get(batch.number, ("", 0.0))
        if text != known or time.monotonic() - at >= _SAY_S:
            self._said[batch.number] = text, time.monotonic()
            self._print(text)

    @staticmethod
    def _print(line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _fault_of_rest(remote: Remote, *, maybe_paid: bool) -> Fault:
    """Why the lines that an ended batch says nothing of have no answer."""
    detail = f"the batch is {remote.status} without it" + (f" ({remote.errors})" if remote.errors else "")
    kinds = {fault_of_code(code, "").kind for code in remote.codes}
    if "stop" in kinds:
        return Fault("stop", detail)
    return Fault("throttled" if "throttled" in kinds else "retry", detail, maybe_paid=maybe_paid)


def _is_whole(file: IO[bytes], expected: int) -> bool:
    """Whether all lines can be read and there are as many as the server has counted."""
    results = [line is not None for line in read_results(file, str)]
    return all(results) and len(results) >= expected
