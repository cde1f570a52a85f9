"""What waits to be sent in a batch, and how much of it fits into the next one."""

from collections.abc import Iterable
from typing import IO

from nounflow.config.llm import LLMConfig, PriceConfig
from nounflow.llm.batch.files import input_line
from nounflow.llm.batch.rows import BatchJob
from nounflow.llm.http import Server
from nounflow.llm.prices import prompt_tokens_estimate, worst_cost


class Pool:
    """Jobs in the order in which they came, by key."""

    def __init__(self, config: LLMConfig, price: PriceConfig) -> None:
        self._config, self._price = config, price
        self.jobs: dict[str, BatchJob] = {}
        self._tokens = self._bytes = 0

    def add(self, job: BatchJob) -> bool:
        """Put a job behind the others; False if it is too large for any batch."""
        limits, request = self._config.batch, job.question.request
        job.tokens, job.worst_usd = prompt_tokens_estimate(request), worst_cost(self._price, request, job.room)
        # before the server is known, and with as much room as there may be
        job.bytes = len(input_line(self._config, job.question, self._config.max_retry_tokens, Server()))
        if job.bytes > limits.max_bytes or job.tokens > (limits.max_queued_tokens or job.tokens):
            return False
        self.jobs[job.question.key] = job
        self._tokens, self._bytes = self._tokens + job.tokens, self._bytes + job.bytes
        return True

    @property
    def full(self) -> bool:
        """Whether there is enough for a batch."""
        limits = self._config.batch
        return (
            len(self.jobs) >= limits.max_requests
            or self._bytes >= limits.max_bytes
            or (limits.max_queued_tokens is not None and self._tokens >= limits.max_queued_tokens)
        )

    def draft(self, server: Server, file: IO[bytes], queued_tokens: int, usd: float) -> tuple[list[BatchJob], bool]:
        """Write the next batch's lines to `file`, as far as the limits allow; its jobs stay here until they are taken.

        Args:
            server: what it can do.
            file: empty.
            queued_tokens: of the batches under way.
            usd: what the batch may cost at worst.

        Returns:
            The jobs, and whether more of them would fit if other batches held less of the queue or the money.
        """
        limits, size = self._config.batch, 0
        jobs: list[BatchJob] = []
        for job in self.jobs.values():
            line = input_line(self._config, job.question, job.room, server)
            size += len(line)
            queued_tokens, usd = queued_tokens + job.tokens, usd - job.worst_usd
            if jobs and (len(jobs) == limits.max_requests or size > limits.max_bytes):
                break
            if usd < 0 or queued_tokens > (limits.max_queued_tokens or float("inf")):
                return jobs, True
            file.write(line)
            jobs.append(job)
        return jobs, False

    def take(self, jobs: Iterable[BatchJob]) -> None:
        """Remove jobs."""
        for job in jobs:
            del self.jobs[job.question.key]
            self._tokens, self._bytes = self._tokens - job.tokens, self._bytes - job.bytes
