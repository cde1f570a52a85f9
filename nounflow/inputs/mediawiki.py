"""A wiki's API and files, asked politely: one request at a time, with a pause, under a name, and later when told so."""

import json
import time
from typing import Any
from urllib.parse import urlencode

from nounflow.errors import NounflowError
from nounflow.inputs.transfer import TransferError, opened, retried
from nounflow.retry_after import retry_after

_MAX_BYTES = 30_000_000  # of one answer
_PASSING = ("maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError")  # errors of the API
_LATER = "run the same command again later: what is collected is kept"


class MediaWiki:
    """One wiki. Each request is tried three times."""

    def __init__(self, api: str, contact: str, pause_s: float = 1.0, first_wait_s: float = 5.0) -> None:
        """
        Args:
            api: address of its api.php.
            contact: mail or web address of whoever asks, as the Wikimedia user-agent policy wants it.
            pause_s: seconds between two requests.
            first_wait_s: wait after a first failure that names none.
        """
        if not any(mark in contact for mark in ("@", "://")) or not contact.isprintable():
            raise NounflowError(
                "Wikimedia asks every program for a contact",
                where=f"--contact {contact}",
                fix="give a mail address or a web page: --contact you@example.org",
            )
        self._api, self._agent = api, f"nounflow/0.1 ({contact}) python-urllib"
        self._pause_s, self._first_wait_s = pause_s, first_wait_s
        self._last = float("-inf")

    def query(self, **parameters: str | int) -> dict[str, Any]:
        """The object `query` of an answer; empty if nothing was found.

        Raises:
            TransferError: the wiki is busy or cannot be reached.
            NounflowError: it does not understand the question.
        """
        said = {"action": "query", "format": "json", "formatversion": 2, "maxlag": 5, **parameters}
        address = f"{self._api}?{urlencode(said)}"

        def ask() -> dict[str, Any]:
            content, wait_s = self._get(address)
            try:
                answer = json.loads(content)
                error, found = answer.get("error") or {}, dict(answer.get("query") or {})
                code, info = error.get("code"), str(error.get("info"))[:200]
            except (ValueError, TypeError, AttributeError):
                raise TransferError("The wiki's answer is no JSON object", where=address) from None
            if error:
                problem = f"The wiki answered {code}: {info}"
                if code not in _PASSING:
                    raise NounflowError(problem, where=address, fix="check --api: it must end in api.php")
                busy = TransferError(problem, where=address, fix=_LATER)
                busy.wait_s = wait_s or 0.0
                raise busy
            return found

        return retried(ask, self._first_wait_s)

    def file(self, address: str) -> bytes:
        """The bytes of a file."""
        return retried(lambda: self._get(address)[0], self._first_wait_s)

    def _get(self, address: str) -> tuple[bytes, float | None]:
        """A body, and how long it asks to wait."""
        time.sleep(max(self._last + self._pause_s - time.monotonic(), 0.0))
        try:
            with opened(address, ("http", "https"), self._agent, later=_LATER) as answer:
                content = answer.read(_MAX_BYTES + 1)
                if len(content) > _MAX_BYTES:
                    raise NounflowError(f"The file is larger than {_MAX_BYTES / 1e6:.0f} MB", where=address)
                return content, retry_after(answer.headers)
        finally:
            self._last = time.monotonic()
