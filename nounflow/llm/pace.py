"""When the next request may be sent: the server's wish to wait, the deadline, and an end for all."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from nounflow.config.llm import LLMConfig
from nounflow.errors import NounflowError
from nounflow.llm.faults import Fault

T = TypeVar("T")


class RunStoppedError(NounflowError):
    """Nothing more can be sent: no access, a server that is gone, too long a wait. What was answered is kept."""


_ANNOUNCED_S = 30.0  # a wait that is longer is told
AGAIN = "run the same command again later; what was answered is kept and not paid again"


def refused(config: LLMConfig, detail: str) -> RunStoppedError:
    """The error for a fault of kind `stop`."""
    return RunStoppedError(
        f"The server refuses all requests: {detail}",
        where=f"{config.base_url}, model {config.model}",
        fix="check the key, the account, `base_url` and `model`, then run the same command again",
    )


def not_written(ledger: Path, error: Exception) -> RunStoppedError:
    """The error for a ledger that cannot be written."""
    return RunStoppedError(
        f"The ledger cannot be written ({error})",
        where=ledger,
        fix="free some space on the disk, then run the same command again",
    )


class Pace:
    """Shared by all tasks of a run. Times are the event loop's."""

    def __init__(self, config: LLMConfig) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + config.deadline_s
        self._resume_at = self._announced = 0.0
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
                raise self.deadline()
            if now >= self._resume_at:
                return True
            await self.sleep(self._resume_at - now)
        return False

    @property
    def late(self) -> bool:
        """Whether the deadline is over."""
        return self.now() >= self._end

    def deadline(self, state: str = "") -> RunStoppedError:
        """The error that says so; `state`: what is still under way."""
        return RunStoppedError(
            f"The deadline of {self._config.deadline_s:,.0f} s is reached{state}", where="`deadline_s`", fix=AGAIN
        )

    def held_s(self) -> float:
        """Seconds until something may be sent; 0 when it may be now."""
        return max(self._resume_at - self.now(), 0.0)

    def hold(self, seconds: float) -> None:
        """Nobody sends anything for so long."""
        self._resume_at = max(self._resume_at, self.now() + seconds)

    def announce(self, seconds: float, why: str) -> None:
        """Say that nothing will be sent for long; once for a wait."""
        if seconds > _ANNOUNCED_S and self.now() + seconds > self._announced + 1:
            self._announced = self.now() + seconds
            print(f"waiting {seconds:,.0f} s: {why}", file=sys.stderr, flush=True)

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
        if wait_s is not None and wait_s > self._config.max_wait_s:
            raise RunStoppedError(
                f"The server asks to wait {wait_s:,.0f} s, longer than `max_wait_s` allows ({detail})", fix=AGAIN
            )
        if sent_at >= self._resume_at:  # those sent before the last wait tell nothing new
            wait_s = max(wait_s or 0.0, self.backoff(self._throttled))
            self._throttled += 1
        if wait_s is not None:
            self.hold(wait_s)
            self.announce(wait_s, "the server asks for it")

    def backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures and one more."""
        return min(self._config.first_wait_s * 2.0 ** min(failures, 30), self._config.max_wait_s)

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

    async def retry(
        self, call: Callable[[], Awaitable[T | Fault]], again: Callable[[Fault], bool] = lambda fault: fault.passing
    ) -> T | Fault:
        """Call until there is a value, a fault that is not to be tried `again`, or `max_attempts` of them.

        Raises:
            RunStoppedError: the deadline comes first, or the server asks to wait for too long.
        """
        failures = 0
        while True:
            await self.may_send()
            sent_at = self.now()
            result = await call()
            if not isinstance(result, Fault):
                return result
            if result.kind == "throttled":
                self.throttled(sent_at, result.wait_s, result.detail)
                continue
            failures += 1
            if not again(result) or failures >= self._config.max_attempts:
                return result
            wait = max(self.backoff(failures - 1), result.wait_s or 0.0)
            await self.sleep(min(wait, self._config.max_wait_s))
