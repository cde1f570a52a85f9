"""What an error means for the request, and for all the others."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
import openai

from nounflow.escaping import mended
from nounflow.llm.keys import redact
from nounflow.retry_after import retry_after

Kind = Literal["throttled", "retry", "unfit", "refused", "stop"]

_STOP_STATUS = {401, 402, 403, 404, 405, 407}
_RETRY_STATUS = {408, 409, 423, 425, 460, 498, 499}  # load, locks, and gateways whose other side was gone
# Words by which servers say that they refuse the content itself, in codes and messages.
_CONTENT = re.compile(
    r"content[_ -]?(?:filter|policy|management)|moderation|safety|responsible[_ -]?ai|flagged|prohibited|"
    r"usage polic|data_inspection|sensitive",
    re.IGNORECASE,
)
_STOP_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated"}
_THROTTLE_CODES = {
    "rate_limit_exceeded", "rate_limit_error", "rate_limited", "token_limit_exceeded", "too_many_tokens",
    "too_many_requests", "throttled", "overloaded_error", "resource_exhausted",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a sending brought no answer.

    kind: `throttled`: wait, it is not counted as an attempt. `retry`: try again, some times. `unfit`: not again in
    this run, but in a later one, when the set-up may have been mended. `refused`: never again, for its content.
    `stop`: nothing else will work either.
    """

    kind: Kind
    detail: str
    wait_s: float | None = None  # as the server asked
    maybe_paid: bool = False  # the server may have answered, and counted it
    raw: str = ""
    status: int | None = None  # of HTTP, where there was one

    @property
    def passing(self) -> bool:
        """Whether another try may help."""
        return self.kind == "retry"


def fault_of(error: openai.APIError | httpx2.HTTPError | TimeoutError) -> Fault:
    """Class an error of the client library, or of its transport (while a file is being read)."""
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        connecting = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return Fault("retry", "no whole answer in time", maybe_paid=not connecting)
    cause = error.__cause__ or error
    detail = f"the connection failed ({type(cause).__name__}: {cause})"
    return Fault("retry", detail, maybe_paid=not isinstance(cause, httpx2.ConnectError))


def fault_of_status(
    status: int, said: Mapping[str, Any], raw: str = "", headers: Mapping[str, str] | None = None
) -> Fault:
    """Class an HTTP status. `said`: the error object of the body, as far as there is one."""
    names = {str(said.get("code")), str(said.get("type"))}
    named = f", parameter {said['param']}" if said.get("param") else ""
    detail = mended(f"HTTP {status}{named}: {str(said.get('message') or raw)[:500]}")
    if status in _STOP_STATUS or names & _STOP_CODES:
        return Fault("stop", detail, raw=raw, status=status)
    if status == 429:
        return Fault("throttled", detail, wait_s=retry_after(headers or {}), raw=raw, status=status)
    if status in _RETRY_STATUS or status >= 500:
        return Fault("retry", detail, wait_s=retry_after(headers or {}), raw=raw, status=status)
    if 300 <= status < 400:
        elsewhere = (headers or {}).get("location", "an address that it does not name")
        return Fault("stop", f"HTTP {status}: it sends requests on to {elsewhere}", raw=raw, status=status)
    final = bool(_CONTENT.search(" ".join((*names, detail))))
    return Fault("refused" if final else "unfit", detail, raw=raw, status=status)


def fault_of_error(said: Mapping[str, Any], raw: str = "") -> Fault:
    """Class an error without an HTTP status of its own, as in the body of a 200 or a batch's line: its code decides."""
    for code in (said.get("code"), said.get("status"), said.get("status_code")):
        if str(code).isdecimal() and 400 <= int(str(code)) < 600:
            return fault_of_status(int(str(code)), said, raw)
    code = str(said.get("code") or said.get("type") or "an error in the answer")
    if code.startswith(("invalid", "unsupported")):
        return fault_of_status(400, said, raw)
    fault = fault_of_code(code, str(said.get("message") or raw))
    final = fault.kind == "retry" and _CONTENT.search(fault.detail)
    return dataclasses.replace(fault, kind="refused", raw=raw) if final else dataclasses.replace(fault, raw=raw)


def is_final(detail: str) -> bool:
    """Whether a refusal that the ledger keeps was one of content: older versions also kept those by set-up."""
    return not detail.startswith("HTTP ") or bool(_CONTENT.search(detail))


def fault_of_code(code: str, message: str) -> Fault:
    """Class an error by its code alone."""
    detail = mended(f"{code}: {message[:500]}")
    if code.lower() in _STOP_CODES:
        return Fault("stop", detail)
    return Fault("throttled" if code.lower() in _THROTTLE_CODES else "retry", detail)


def struck(fault: Fault, key: str) -> Fault:
    """The fault without the key, should the server have repeated it."""
    return dataclasses.replace(fault, detail=redact(fault.detail, key), raw=redact(fault.raw, key))


def _of_status(error: openai.APIStatusError) -> Fault:
    said = error.body if isinstance(error.body, dict) else {}
    said = {"message": error.message if not error.response.text else None, **said}
    return fault_of_status(error.status_code, said, error.response.text, error.response.headers)
