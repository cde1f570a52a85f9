"""What an error means for the request, and for all the others."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import httpx2
import openai

Kind = Literal["throttled", "retry", "refused", "stop"]

_STOP_STATUS = {401, 402, 403, 404, 405, 407}
_RETRY_STATUS = {408, 409, 425}
_STOP_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a sending brought no answer.

    kind: `throttled`: wait, it is not counted as an attempt. `retry`: try again, some times. `refused`: never again.
    `stop`: nothing else will work either.
    """

    kind: Kind
    detail: str
    wait_s: float | None = None  # as the server asked
    maybe_paid: bool = False  # the server may have answered, and counted it
    raw: str = ""


def fault_of(error: openai.APIError | TimeoutError) -> Fault:
    """Class an error of the client library."""
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        connecting = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return Fault("retry", "no whole answer in time", maybe_paid=not connecting)
    cause = error.__cause__ or error
    detail = f"the connection failed ({type(cause).__name__}: {cause})"
    return Fault("retry", detail, maybe_paid=not isinstance(cause, httpx2.ConnectError))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date); None without either."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(float(value) * unit, 0.0)
        except ValueError:
            if (date := email.utils.parsedate_tz(value)) is not None:
                return max(email.utils.mktime_tz(date) - time.time(), 0.0)
    return None


def _of_status(error: openai.APIStatusError) -> Fault:
    status, raw = error.status_code, error.response.text
    body = error.body if isinstance(error.body, dict) else {}
    message = str(body.get("message") or raw or error.message)[:500]
    named = f", parameter {error.param}" if error.param else ""
    detail = f"HTTP {status}{named}: {message}"
    if status in _STOP_STATUS or error.code in _STOP_CODES or error.type in _STOP_CODES:
        return Fault("stop", detail, raw=raw)
    if status == 429:
        return Fault("throttled", detail, wait_s=retry_after(error.response.headers), raw=raw)
    if status in _RETRY_STATUS or status >= 500:
        return Fault("retry", detail, wait_s=retry_after(error.response.headers), raw=raw)
    return Fault("refused", detail, raw=raw)
