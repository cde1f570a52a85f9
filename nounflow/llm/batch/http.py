"""The Batch API over the network, through the official client: each call once, a value or a fault."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import httpx2
import openai

from nounflow.config.llm import LLMConfig
from nounflow.llm.faults import Fault, fault_of, struck
from nounflow.llm.http import api_client
from nounflow.llm.keys import read_key, redact

T = TypeVar("T")
ENDED = ("completed", "failed", "expired", "cancelled")
_STATES = {  # words of other servers
    **dict.fromkeys(("succeeded", "success", "finished", "done", "ended", "complete"), "completed"),
    **dict.fromkeys(("error", "errored", "failure"), "failed"),
    **dict.fromkeys(("canceled", "aborted", "stopped"), "cancelled"),
    **dict.fromkeys(("timeout", "timed_out", "timeout_exceeded"), "expired"),
    **dict.fromkeys(("running", "processing", "queued", "pending", "created"), "in_progress"),
}
_PREFIX = re.compile(r"^(?:(?:job|batch)_)?(?:state|status)_")
_TOKEN = "nounflow"  # the name of our token among a batch's metadata
_PAGE = 100  # batches listed at a time
_CLOCKS_S = 86_400.0  # the server's clock may differ by so much


@dataclass(frozen=True, slots=True)
class Remote:
    """What the server says of a batch; what it leaves out is empty."""

    id: str
    status: str
    output_file_id: str
    error_file_id: str
    total: int
    completed: int
    errors: str  # why it failed, as one text
    codes: frozenset[str]  # of these errors


class BatchHttp:
    """Never retries. No text that it returns holds the key."""

    def __init__(self, config: LLMConfig) -> None:
        self._config = config
        self._key = read_key(config)
        self._client = api_client(config, self._key)
        self._batches = self._client.batches.with_raw_response
        self._transfer_s = config.batch.transfer_timeout_s

    def strike(self, text: str) -> str:
        """The text without the key."""
        return redact(text, self._key)

    async def upload(self, name: str, file: IO[bytes]) -> str | Fault:
        """Send an input file; its id."""
        file.seek(0)
        send = self._client.files.with_raw_response.create(
            file=(name, file, "application/jsonl"), purpose="batch", timeout=self._transfer_s
        )
        return await self._once(self._read(send, self._file_id), self._transfer_s)

    async def create(self, file_id: str, token: str) -> Remote | Fault:
        """Start a batch. After a fault of kind `retry` nobody knows whether there is one."""
        send = self._batches.create(
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={_TOKEN: token},
        )
        return await self._once(self._read(send, self._remote))

    async def retrieve(self, remote_id: str) -> Remote | Fault:
        """How a batch stands."""
        return await self._once(self._read(self._batches.retrieve(remote_id), self._remote))

    async def cancel(self, remote_id: str) -> Remote | Fault:
        """Ask for a batch to be cancelled; what it has answered can be read later."""
        return await self._once(self._read(self._batches.cancel(remote_id), self._remote))

    async def find(self, file_id: str, token: str, since: float) -> Remote | Fault | None:
        """The batch with our token or input file, among those created after `since`; None if there is none."""
        after: str | None = None
        while True:
            place = {"after": after} if after else {}
            send = self._batches.list(limit=_PAGE, **place)  # type: ignore[arg-type]
            page = await self._once(self._read(send, dict))
            if isinstance(page, Fault):
                return page
            batches = [batch for batch in page.get("data") or [] if isinstance(batch, dict)]
            for batch in batches:
                own = isinstance(batch.get("metadata"), dict) and batch["metadata"].get(_TOKEN) == token
                if own or batch.get("input_file_id") == file_id:
                    return self._remote(batch)
            times = [batch.get("created_at") for batch in batches]
            oldest = min((at for at in times if isinstance(at, int | float)), default=since)
            last = str(batches[-1].get("id") or "") if batches else ""
            if not page.get("has_more") or not last or last == after or oldest < since - _CLOCKS_S:
                return None
            after = last

    async def delete(self, file_id: str) -> object | Fault:
        """Remove an input file."""
        return await self._once(self._client.files.with_raw_response.delete(file_id))

    async def download(self, file_id: str, target: IO[bytes]) -> Fault | None:
        """Write a file of results to `target`, which is emptied first."""

        async def write() -> None:
            target.seek(0)
            target.truncate()
            stream = self._client.files.with_streaming_response
            async with stream.content(file_id, timeout=self._transfer_s) as response:
                async for piece in response.iter_bytes():
                    target.write(piece)

        return await self._once(write(), self._transfer_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _once(self, call: Awaitable[T | Fault], timeout_s: float | None = None) -> T | Fault:
        try:
            async with asyncio.timeout(timeout_s or self._config.timeout_s):
                return await call
        except (openai.APIError, httpx2.HTTPError, TimeoutError) as error:
            return struck(fault_of(error), self._key)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            return Fault("retry", f"the server's answer cannot be read ({self.strike(str(error))[:200]})")

    @staticmethod
    async def _read(call: Awaitable[Any], take: Callable[[dict[str, Any]], T]) -> T:
        """What is taken from the JSON object that a call brings."""
        value = json.loads((await call).content)
        if not isinstance(value, dict):
            raise ValueError("no JSON object")
        return take(value)

    def _file_id(self, file: Mapping[str, Any]) -> str | Fault:
        return self._text(file, "id") or Fault("retry", "an uploaded file without an id")

    def _text(self, value: Mapping[str, Any], name: str) -> str:
        return self.strike(str(value.get(name) or ""))

    def _remote(self, batch: Mapping[str, Any]) -> Remote:
        """Raises ValueError without id or status."""
        if not batch.get("id") or not batch.get("status"):
            raise ValueError("a batch without id or status")
        counts = batch.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        errors = _errors(batch.get("errors"))
        output = self._text(batch, "output_file_id") or self._text(batch, "output_file")
        return Remote(
            id=self._text(batch, "id"),
            status=state_of(self._text(batch, "status"), output),
            output_file_id=output,
            error_file_id=self._text(batch, "error_file_id") or self._text(batch, "error_file"),
            total=_number(counts.get("total")),
            completed=_number(counts.get("completed")),
            errors="; ".join(self._error(error) for error in errors[:5]),
            codes=frozenset(str(error.get("code")) for error in errors),
        )

    def _error(self, error: Mapping[str, Any]) -> str:
        line = f" (line {error['line']})" if error.get("line") else ""
        return f"{self._text(error, 'code')}: {self._text(error, 'message')[:300]}{line}"


def state_of(said: str, output: str) -> str:
    """A batch's state in OpenAI's words; one that has its output has ended, whatever its state is called."""
    word = _PREFIX.sub("", said.strip().lower().replace("-", "_").replace(" ", "_"))
    state = _STATES.get(word, word)
    return "completed" if output and state not in ENDED else state


def _errors(told: Any) -> list[dict[str, Any]]:
    """Why a batch failed: error objects or plain words, one or several, as servers nest them."""
    if isinstance(told, dict) and "data" in told:
        return _errors(told["data"])
    listed = told if isinstance(told, list) else [told] if told else []
    return [one if isinstance(one, dict) else {"message": one} for one in listed]


def _number(count: Any) -> int:
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return int(float(count))
    return 0
