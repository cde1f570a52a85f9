"""What waits to be sent in a batch, and how much of it fits into the next one."""

from dataclasses import dataclass, field
from typing import IO, Literal

from nounflow.config.llm import LLMConfig, PriceConfig
from nounflow.llm.batch.files import input_line
from nounflow.llm.batch.rows import Line
from nounflow.llm.http import Server
from nounflow.llm.prices import prompt_tokens_estimate, worst_cost
from nounflow.llm.requests import Question


@dataclass(slots=True)
class BatchJob:
    """A question that is asked, in the pool or in a batch."""

    question: Question
    room: int  # most tokens of the answer
    failures: int = 0
    others: int = 0  # further requests with the same key


@dataclass(slots=True)
class BatchDraft:
    """The next batch, as far as the limits allow."""

    jobs: list[BatchJob] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    tokens: int = 0  # of the prompts, estimated
    bytes: int = 0
    worst_usd: float = 0.0
    short_of: Literal["", "queue", "money"] = ""  # what other batches may hold


class Pool:
    """Jobs in the order in which they came, by key."""

    def __init__(self, config: LLMConfig, price: PriceConfig) -> None:
        self._config, self._price = config, price
        self.jobs: dict[str, BatchJob] = {}
        self._tokens = self._bytes = 0

    def add(self, job: BatchJob) -> bool:
        """Put a job behind the others; False if it is too large for any batch."""
        tokens, size = self._measure(job)
        limits = self._config.batch
        if size > limits.max_bytes or tokens > (limits.max_queued_tokens or tokens):
            return False
        self.jobs[job.question.key] = job
        self._tokens, self._bytes = self._tokens + tokens, self._bytes + size
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

    def draft(self, server: Server, file: IO[bytes], queued_tokens: int, usd: float) -> BatchDraft:
        """Write the next batch's lines to `file`; the jobs stay here until they are taken.

        Args:
            server: what it can do.
            file: empty.
            queued_tokens: of the batches under way.
            usd: what the batch may cost at worst.
        """
        limits, draft = self._config.batch, BatchDraft()
        for job in self.jobs.values():
            line = input_line(self._config, job.question, job.room, server)
            tokens = prompt_tokens_estimate(job.question.request)
            worst = self.worst_usd(job)
            full = len(draft.jobs) == limits.max_requests or draft.bytes + len(line) > limits.max_bytes
            if full and draft.jobs:
                break
            if queued_tokens + draft.tokens + tokens > (limits.max_queued_tokens or float("inf")):
                draft.short_of = "queue"
                break
            if draft.worst_usd + worst > usd:
                draft.short_of = "money"
                break
            file.write(line)
            draft.jobs.append(job)
            draft.lines.append(Line(job.question, job.room, worst))
            draft.tokens, draft.bytes = draft.tokens + tokens, draft.bytes + len(line)
            draft.worst_usd += worst
        return draft

    def take(self, draft: BatchDraft) -> None:
        """Remove the draft's jobs."""
        for job in draft.jobs:
            del self.jobs[job.question.key]
            tokens, size = self._measure(job)
            self._tokens, self._bytes = self._tokens - tokens, self._bytes - size

    def worst_usd(self, job: BatchJob) -> float:
        """The most that a job can cost."""
        return worst_cost(self._price, job.question.request, job.room)

    def _measure(self, job: BatchJob) -> tuple[int, int]:
        """Prompt tokens and bytes, before the server is known."""
        line = input_line(self._config, job.question, self._config.max_retry_tokens, Server())
        return prompt_tokens_estimate(job.question.request), len(line)
