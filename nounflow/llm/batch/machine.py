"""The life of a batch: planned, uploaded, created, in progress, ended, read. Each step is in the ledger.

Whoever stops at any step and comes back goes on from the state that the ledger has: a batch that was never uploaded
is abandoned, one that may have been created is looked for at the server, one that has ended is read again.
"""

import itertools
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import IO

from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.files import is_whole, read_results
from nounflow.llm.batch.http import ENDED, BatchHttp, Remote
from nounflow.llm.batch.messages import BatchNews, impossible, lost, name_of, say
from nounflow.llm.batch.rows import Batch, BatchJob, BatchRows, LineEnd
from nounflow.llm.budget import Budget
from nounflow.llm.faults import Fault, fault_of_code
from nounflow.llm.ledger import Ledger
from nounflow.llm.pace import Pace, refused

_CHUNK = 500  # lines of results written and handed on at a time


class BatchMachine:
    """Moves the open batches of one server and model from state to state."""

    def __init__(self, config: LLMConfig, ledger: Ledger, budget: Budget) -> None:
        self._config, self._budget = config, budget
        self._rows = BatchRows(config, ledger, budget)
        self._http = BatchHttp(config)
        self._news = BatchNews()
        self.open: dict[int, Batch] = {}
        self._cancelled: set[int] = set()
        self._silent: Counter[int] = Counter()  # looks in a row that have shown nothing, by batch
        self._earlier = {batch.number for batch in self._rows.open()}  # their worst case counts as spent

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
        return ", ".join(map(self._news.last, self.open.values()))

    async def submit(self, jobs: Sequence[BatchJob], file: IO[bytes], run: int | None, pace: Pace) -> None:
        """Write a batch, upload its file, create it at the server.

        Raises:
            RunStoppedError: it cannot be done.
        """
        batch = await self._rows.plan(jobs, run=run)
        self.open[batch.number] = batch
        name = f"nounflow-{batch.token}.jsonl"
        file_id = await pace.retry(lambda: self._http.upload(name, file))
        if isinstance(file_id, Fault):
            raise impossible(self._config, "The input file of a batch cannot be uploaded", file_id)
        await self._rows.note(batch, "uploaded", file_id=file_id)
        # A file may not be readable right after its upload, so "not found" or "bad request" is tried again. After any
        # other failure there may be a batch all the same: `advance` looks for it.
        remote = await pace.retry(
            lambda: self._http.create(file_id, batch.token), again=lambda fault: fault.status in (400, 404)
        )
        if isinstance(remote, Remote):
            await self._created(batch, remote)
        elif not remote.passing:
            raise impossible(self._config, "A batch cannot be created", remote)

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
        self._news.say(batch, remote)

    async def _find(self, batch: Batch, pace: Pace) -> bool:
        """Whether a batch that may have been created was: it is looked for before another is made.

        Without its input file no batch can start that the server has not heard of yet, so the file is removed in
        between, and "no" is final.
        """
        for final in (False, True):
            remote = await pace.retry(lambda: self._http.find(batch.file_id, batch.token, batch.planned_at))
            if isinstance(remote, Remote):
                await self._created(batch, remote)
                return True
            if isinstance(remote, Fault):
                raise impossible(self._config, "The server does not say whether it has a batch", remote)
            if not final:
                deleted = await pace.retry(lambda: self._http.delete(batch.file_id))
                if isinstance(deleted, Fault) and deleted.passing:
                    raise impossible(self._config, "The input file of a batch cannot be removed", deleted)
        return False

    async def _look(self, batch: Batch, pace: Pace) -> Remote | Fault | None:
        """The batch as the server has it, a fault if it is lost for good, None if the server does not say."""
        if self._old(batch) and batch.state not in ENDED and batch.number not in self._cancelled:
            answer = await self._http.cancel(batch.remote_id)
            if not isinstance(answer, Fault) or answer.kind == "refused":  # it may have ended in between
                self._cancelled.add(batch.number)
                say(f"{name_of(batch)}: cancelled, as `max_wait_s` is over")
        sent_at = pace.now()
        remote = await self._http.retrieve(batch.remote_id)
        if isinstance(remote, Remote):
            if remote.status != batch.state:
                await self._rows.note(batch, remote.status, detail=remote.errors)
            self._news.say(batch, remote)
            answers = remote.completed or (remote.status == "completed" and not remote.error_file_id)
            if remote.status in ENDED and answers and not remote.output_file_id:
                self._silent[batch.number] += 1  # answers, and no file of them yet
                return remote if self._silent[batch.number] >= self._config.max_attempts else None
            self._silent[batch.number] = 0
            return remote
        self._silent[batch.number] += 1
        if remote.kind == "throttled":
            pace.throttled(sent_at, remote.wait_s, remote.detail)
        elif remote.status == 404 and self._silent[batch.number] >= self._config.max_attempts:
            if not self._old(batch):
                raise lost(self._config, batch, remote)
            return Fault("retry", f"the server has lost its batch ({remote.detail})", maybe_paid=True)
        elif remote.kind == "stop" and remote.status != 404:
            raise refused(self._config, remote.detail)
        elif self._silent[batch.number] >= self._config.failures_in_a_row:
            raise impossible(self._config, f"The server does not say how {name_of(batch)} stands", remote)
        return None

    async def _read(self, batch: Batch, remote: Remote, pace: Pace) -> AsyncIterator[list[LineEnd]]:
        """Bring what an ended batch has answered into the ledger; the rest returns to the asker as faults."""
        with (
            tempfile.TemporaryFile(dir=self._rows.folder) as output,
            tempfile.TemporaryFile(dir=self._rows.folder) as errors,
        ):
            whole = await self._fetch(batch, remote.output_file_id, output, remote.completed, pace)
            if not (whole or any(read_results(output, str)) or not remote.output_file_id or self._old(batch)):
                fault = Fault("retry", "no line of them is one of a batch")
                raise impossible(self._config, f"The results of {name_of(batch)} cannot be read", fault)
            whole &= await self._fetch(batch, remote.error_file_id, errors, 0, pace)
            pending = self._rows.lines(batch)
            lines = itertools.chain(read_results(output, self._http.strike), read_results(errors, self._http.strike))
            results = (line for line in lines if line is not None)
            stop: Fault | None = None
            while chunk := list(itertools.islice(results, _CHUNK)):
                ends = await self._rows.end(batch, chunk, pending)
                stop = stop or _stop_among(ends)
                yield ends
        last = await self._close(batch, "read", _fault_of_rest(remote, maybe_paid=not whole))
        yield last
        stop = stop or _stop_among(last)
        if stop is not None:
            raise refused(self._config, stop.detail)

    async def _fetch(self, batch: Batch, file_id: str, target: IO[bytes], expected: int, pace: Pace) -> bool:
        """Download results, again while there are fewer lines than the server counts; whether they are all there."""
        if not file_id:
            return expected == 0
        fault: Fault | None = None
        for attempt in range(self._config.max_attempts):
            fault = await self._http.download(file_id, target)
            if fault is None and is_whole(target, expected):
                return True
            if fault is not None and fault.kind == "stop" and fault.status != 404:
                raise refused(self._config, fault.detail)
            await pace.sleep(max(pace.backoff(attempt), (fault.wait_s or 0.0) if fault else 0.0))
        if fault is not None and not self._old(batch):
            raise impossible(self._config, f"The results of {name_of(batch)} cannot be read", fault)
        return False

    async def _close(self, batch: Batch, state: str, fault: Fault) -> list[LineEnd]:
        """End the lines that are left with a fault, and the batch."""
        ends = await self._rows.close(batch, state, fault)
        del self.open[batch.number]
        say(f"batch {batch.number}: {state}" + (f"; {len(ends):,} unanswered ({fault.detail})" if ends else ""))
        return ends

    def _old(self, batch: Batch) -> bool:
        return self._rows.now() - batch.created_at > self._config.batch.max_wait_s


def _fault_of_rest(remote: Remote, *, maybe_paid: bool) -> Fault:
    """Why the lines that an ended batch says nothing of have no answer."""
    detail = f"the batch is {remote.status} without it" + (f" ({remote.errors})" if remote.errors else "")
    kinds = {fault_of_code(code, "").kind for code in remote.codes}
    if "stop" in kinds:
        return Fault("stop", detail)
    return Fault("throttled" if "throttled" in kinds else "retry", detail, maybe_paid=maybe_paid)


def _stop_among(ends: Iterable[LineEnd]) -> Fault | None:
    """The first fault after which nothing else will work either."""
    return next((end.fault for end in ends if end.fault is not None and end.fault.kind == "stop"), None)
