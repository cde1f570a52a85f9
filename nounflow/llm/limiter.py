"""Calls and tokens a minute: as the config says, and as the server says in its `x-ratelimit-*` headers."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from nounflow.config.llm import LLMConfig
from nounflow.llm.pace import Pace
from nounflow.retry_after import retry_after

Unit = Literal["requests", "tokens"]
_UNITS: tuple[Unit, Unit] = ("requests", "tokens")
_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_EPOCH_S, _MONTH_S = 1e9, 31 * 86_400.0  # a number above the first is no duration
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")


@dataclass
class Bucket:
    """Fills at `rate` a second up to `capacity`. What is larger than the bucket takes it whole and leaves a debt,
    so that nothing waits for ever."""

    rate: float
    capacity: float
    level: float
    at: float  # time of `level`, seconds

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken."""
        self._fill(now)
        return max((min(amount, self.capacity) - self.level) / self.rate, 0.0)

    def take(self, amount: float, now: float) -> None:
        """Take it, whatever is there."""
        self._fill(now)
        self.level -= amount

    def _fill(self, now: float) -> None:
        self.level = min(self.level + (now - self.at) * self.rate, self.capacity)
        self.at = now


class Limiter:
    """Lets callers through one after the other, none sooner than every limit allows."""

    def __init__(self, config: LLMConfig) -> None:
        self._turn = asyncio.Lock()
        self._longest_wait_s = config.max_wait_s
        self._own: dict[Unit, Bucket] = {}
        self._served: dict[Unit, Bucket] = {}
        for unit, limit in zip(_UNITS, (config.requests_per_minute, config.tokens_per_minute), strict=True):
            if limit is not None:  # a second's worth at once: any minute has the limit and no more than that above it
                burst = max(limit / 60, 1.0)
                self._own[unit] = Bucket(limit / 60, burst, burst, 0.0)

    async def admit(self, pace: Pace, tokens: int) -> bool:
        """Wait until a call of so many tokens may be sent; False when the run has been stopped.

        Raises:
            RunStoppedError: the deadline comes first.
        """
        amounts: dict[Unit, float] = {"requests": 1.0, "tokens": float(tokens)}
        async with self._turn:
            while await pace.may_send():
                now = pace.now()
                buckets = [(b, amounts[unit]) for table in (self._own, self._served) for unit, b in table.items()]
                wait = max((bucket.wait_s(amount, now) for bucket, amount in buckets), default=0.0)
                if wait <= 0:
                    for bucket, amount in buckets:
                        bucket.take(amount, now)
                    return True
                pace.announce(wait, "calls or tokens a minute are used up")
                await pace.sleep(wait)
        return False

    def heed(self, headers: Mapping[str, str], now: float) -> None:
        """Take over what a response says is left, and how fast it comes back."""
        for unit in _UNITS:
            limit, left = (_number(headers.get(f"x-ratelimit-{name}-{unit}")) for name in ("limit", "remaining"))
            if limit is None or left is None or limit < 1 or left > limit:
                continue
            reset_s = seconds(headers.get(f"x-ratelimit-reset-{unit}"))
            known = self._served.get(unit)
            if known is not None:  # what is under way the server has not counted yet
                known.wait_s(0, now)
                left = min(left, known.level)
            # The reset is the time until all of it is back, so it gives the rate also of a server that counts by days.
            rate = (limit - left) / reset_s if reset_s and left < limit else limit / 60
            rate = max(rate, 1.0 / self._longest_wait_s)  # headers that promise next to nothing are put to the test
            self._served[unit] = Bucket(rate, limit, left, now)


def seconds(text: str | None) -> float | None:
    """Seconds of a duration such as "1.2s", "6m0s", "20ms" or "17", or until a time: seconds or milliseconds since
    1970, or a date. None for anything else, and for what is longer than a month.
    """
    if text is None:
        return None
    text = text.strip()
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        found: float | None = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    elif (found := _number(text)) is None:
        found = _seconds_until(text)
    elif found > _EPOCH_S:
        found = max((found / 1000 if found > _EPOCH_S * 1000 else found) - time.time(), 0.0)
    return found if found is not None and found <= _MONTH_S else None


def _seconds_until(date: str) -> float | None:
    try:
        at = datetime.fromisoformat(date)
        return max((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return retry_after({"retry-after": date})  # as HTTP writes dates


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
