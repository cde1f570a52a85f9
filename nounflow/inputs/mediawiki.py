"""A wiki's API and files, asked politely: one request at a time, with a pause, under a name, and later when told so."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

from nounflow.errors import NounflowError
from nounflow.inputs.transfer import TransferError, retried
from nounflow.retry_after import retry_after

WIKIPEDIA = "https://en.wikipedia.org/w/api.php"
_SECONDS = 60  # without a byte before a connection counts as dead
_MAX_BYTES = 30_000_000  # of one answer
_PASSING = ("maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError")  # errors of the API


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
                error, found = answer.get("error"), answer.get("query", {})
            except (ValueError, AttributeError):
                raise TransferError("The wiki's answer is no JSON object", where=address) from None
            if error:
                problem = f"The wiki answered {error.get('code')}: {str(error.get('info'))[:200]}"
                if error.get("code") not in _PASSING:
                    raise NounflowError(problem, where=address, fix="check --api: it must end in api.php")
                raise _later(TransferError(problem, where=address), wait_s)
            return dict(found)

        return retried(ask, self._first_wait_s)

    def file(self, address: str) -> bytes:
        """The bytes of a file."""
        return retried(lambda: self._get(address)[0], self._first_wait_s)

    def _get(self, address: str) -> tuple[bytes, float | None]:
        """A body, and how long it asks to wait."""
        if urlsplit(address).scheme not in ("http", "https"):
            raise NounflowError("Not an address to fetch from", where=address, fix="use http:// or https://")
        time.sleep(max(self._last + self._pause_s - time.monotonic(), 0.0))
        request = urllib.request.Request(address, headers={"User-Agent": self._agent})
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                content = answer.read(_MAX_BYTES + 1)
                if len(content) > _MAX_BYTES:
                    raise NounflowError(f"The file is larger than {_MAX_BYTES / 1e6:.0f} MB", where=address)
                return content, retry_after(_lower(answer.headers))
        except urllib.error.HTTPError as error:
            problem = f"The server answered {error.code} {error.reason}"
            if error.code in (408, 425, 429) or error.code >= 500:
                raise _later(TransferError(problem, where=address), retry_after(_lower(error.headers))) from error
            raise NounflowError(problem, where=address) from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            raise TransferError(f"The wiki cannot be reached ({reason})", where=address) from error
        finally:
            self._last = time.monotonic()


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _later(error: TransferError, wait_s: float | None) -> TransferError:
    error.wait_s = wait_s or 0.0
    error.fix = "run the same command again later: what is collected is kept"
    return error
