"""When the next request may be sent: the server's wish to wait, the deadline, and an end for all."""

from __future__ import annotations

import asyncio
import contextlib

from nounflow.config.llm import LLMConfig
from nounflow.errors import NounflowError


class RunStoppedError(NounflowError):
    """Nothing more can be sent: no access, a server that is gone, too long a wait. What was answered is kept."""


_AGAIN = "run the same command again later; what was answered is kept and not paid again"


class Pace:
    """Shared by all tasks of a run. Times are the event loop's."""

    def __init__(self, config: LLMConfig) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + config.deadline_s
        self._resume_at = 0.0
        self._throttled = 0  # times in a row
        self._given_up = 0  # requests in a row
        self._stopped = asyncio.Event()
        self.error: BaseException | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing may be sent any more; `error` says why, if there is a reason."""
        return self._stopped.is_set()

    def stop(self, error: BaseException | None) -> None:
        """Send nothing more. The first error is kept."""
        self.error = self.error or error
        self._stopped.set()

    def now(self) -> float:
        """Seconds."""
        return self._loop.time()

    async def may_send(self) -> bool:
        """Wait until requests may be sent; False when the run has been stopped.

        Raises:
            RunStoppedError: the deadline comes first.
        """
        while not self.stopped:
            now = self.now()
            if max(now, self._resume_at) >= self._end:
                raise RunStoppedError(
                    f"The deadline of {self._config.deadline_s:,.0f} s is reached", where="`deadline_s`", fix=_AGAIN
                )
            if now >= self._resume_at:
                return True
            await self.sleep(self._resume_at - now)
        return False

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than to the deadline or the stop."""
        seconds = min(seconds, max(self._end - self.now(), 0.0))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def throttled(self, sent_at: float, wait_s: float | None, detail: str) -> None:
        """The server wants all of us to wait.

        Raises:
            RunStoppedError: for longer than the config allows.
        """
        if wait_s is not None and wait_s > self._config.longest_wait_s:
            raise RunStoppedError(
                f"The server asks to wait {wait_s:,.0f} s, longer than `longest_wait_s` allows ({detail})", fix=_AGAIN
            )
        if wait_s is None and sent_at >= self._resume_at:  # those sent before the last wait tell nothing new
            wait_s = self.backoff(self._throttled)
            self._throttled += 1
        if wait_s is not None:
            self._resume_at = max(self._resume_at, self.now() + wait_s)

    def backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures and one more."""
        return min(self._config.first_wait_s * 2.0 ** min(failures, 30), self._config.longest_wait_s)

    def answered(self) -> None:
        """The server works."""
        self._throttled = self._given_up = 0

    def given_up(self, detail: str) -> None:
        """A request got no answer.

        Raises:
            RunStoppedError: as did too many before it.
        """
        self._given_up += 1
        if self._given_up >= self._config.failures_in_a_row:
            raise RunStoppedError(
                f"{self._given_up} requests in a row got no answer; the last one: {detail}",
                where=self._config.base_url,
                fix="check the server, then run the same command again; what was answered is kept",
            )
