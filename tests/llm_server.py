"""A real HTTP server on loopback that speaks chat completions, files and batches, and misbehaves by script.

    with LLMServer() as server:
        server.script("noun 7", "429", "drop")   # the first two requests that mention it; then it answers well
        server.batches.fates("expired")          # the first batch; see `llm_batches`

Runs on its own thread and event loop, so it outlives clients that are killed.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter, defaultdict, deque
from typing import Any, Self

from llm_batches import Batches

_STATUS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests", 500: "Internal Server Error"}


class LLMServer:
    """Counts what it was asked, by the last message's text."""

    def __init__(
        self,
        *,
        schema: bool = True,
        choices: bool = True,
        usage: bool = True,
        room_name: str = "max_tokens",
        delay_s: float = 0.0,
        always: str | None = None,
        gate: int = 0,
    ) -> None:
        self.schema, self.choices, self.usage, self.room_name = schema, choices, usage, room_name
        self.delay_s, self.always = delay_s, always
        self.gate = gate  # questions are answered only after so many have been under way at once
        self.asked: Counter[str] = Counter()  # user message -> requests
        self.answered: Counter[str] = Counter()  # user message -> good answers written out
        self.bodies: list[dict[str, Any]] | deque[dict[str, Any]] = []
        self.authorizations: set[str] = set()
        self.headers: list[str] = []  # of every good answer
        self.batches = Batches(self._line)
        self.under_way = self.max_open_batches = 0
        self._faults: dict[str, deque[str]] = defaultdict(deque)
        self._open: set[asyncio.Task[Any]] = set()

    def script(self, message: str, *faults: str) -> None:
        """The next requests with this user message meet these faults, in turn."""
        self._faults[message].extend(faults)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def asked_questions(self) -> Counter[str]:
        """What was asked, probes left out."""
        return Counter({message: n for message, n in self.asked.items() if "JSON object" not in message})

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._opened = asyncio.Event()
        listener = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=2000)
        self._port = listener.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        listener.close()
        for task in self._open:
            task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else await _chunks(reader, head)
                if found := re.search(r"authorization: (.*)\r", head, re.IGNORECASE):
                    self.authorizations.add(found[1])
                self.under_way += 1
                self.max_open_batches = max(self.max_open_batches, self.under_way)
                try:
                    method, path = head.split(" ", 2)[:2]
                    if path.endswith("/chat/completions"):
                        alive = await self._respond(json.loads(body), writer)
                    else:
                        alive = await self._respond_batch(method, path, head, body, writer)
                    if not alive:
                        break
                finally:
                    self.under_way -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _respond(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """False when the connection is to be dropped."""
        message = _message(body)
        self.asked[message] += 1
        self.bodies.append(body)
        faults = self._faults[message]
        fault = faults.popleft() if faults else self.always or "good"
        await asyncio.sleep(30.0 if fault == "slow" else self.delay_s)
        if self.under_way >= self.gate:
            self._opened.set()
        if "JSON object" not in message:
            await self._opened.wait()
        if fault == "drop" or (fault == "kill" and self.batches.kill()):
            return False
        status, headers, text = self._reply(fault, body, message)
        await _write(writer, status, [*headers, *(self.headers if status == 200 else ())], text.encode())
        if fault in ("good", "kill") and status == 200:  # nobody was there to be killed
            self.answered[message] += 1
        return True

    async def _respond_batch(
        self, method: str, path: str, head: str, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        reply, sent = self.batches.respond(method, path, head, body, " ".join(sorted(self.authorizations)))
        if reply is not None:
            await _write(writer, *reply, only=sent)
        return reply is not None and sent < 0

    def _line(self, body: dict[str, Any]) -> tuple[int, str] | None:
        """Status and body of a batch's line; None when it is to be lost."""
        message = _message(body)
        self.asked[message] += 1
        self.bodies.append(body)
        faults = self._faults[message]
        fault = faults.popleft() if faults else self.always or "good"
        if fault in ("drop", "slow"):
            return None
        status, _, text = self._reply(fault, body, message)
        if fault == "good" and status == 200:
            self.answered[message] += 1
        return status, text

    def _reply(self, fault: str, body: dict[str, Any], message: str) -> tuple[int, list[str], str]:
        if (told := re.fullmatch(r"(\d{3}) ([{\[].*)", fault)) is not None:  # this status with this body
            return int(told[1]), [], told[2]
        if fault.endswith("in a 200"):
            code = fault.split()[0]
            return (
                200,
                [],
                json.dumps({"error": {"message": "slow down", "code": int(code) if code.isdigit() else code}}),
            )
        if fault == "content":
            return 400, [], _error("rejected by the content management policy", "content_filter")
        if fault == "redirect":
            return 302, ["Location: https://elsewhere.example/v1"], ""
        if fault.startswith("429"):  # "429" or "429:SECONDS"
            wait = fault.partition(":")[2]
            return 429, [f"Retry-After: {wait}"] if wait else [], _error("slow down", "rate_limit_exceeded")
        if fault == "quota":
            return 429, [], _error("You exceeded your current quota", "insufficient_quota")
        if fault == "echo401":  # a server that repeats the key in its message
            return 401, [], _error(f"Incorrect key {' '.join(sorted(self.authorizations))}", "invalid_api_key")
        if fault.isdigit():
            return int(fault), [], _error("as scripted", "scripted")
        if fault == "malformed":
            return 200, [], '{"choices": [{"message": {"content": "half'
        if (mistake := self._misunderstood(body)) is not None:
            return 400, [], _error(*mistake)
        return 200, [], json.dumps(self._completion(fault, body, message))

    def _misunderstood(self, body: dict[str, Any]) -> tuple[str, str, str] | None:
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[self.room_name]
        if other in body:
            return f"Unsupported parameter: '{other}'. Use '{self.room_name}'.", "unsupported_parameter", other
        if "response_format" in body and not self.schema:
            return "response_format is not supported", "unsupported_parameter", "response_format"
        if body.get("n", 1) > 1 and not self.choices:
            return "only one choice is supported", "unsupported_parameter", "n"
        return None

    def _completion(self, fault: str, body: dict[str, Any], message: str) -> dict[str, Any]:
        text, reason, refusal = json.dumps({"word": message}), "stop", None
        if fault == "truncated":
            text, reason = text[:4], "length"
        elif fault == "filtered":
            text, reason = "", "content_filter"
        elif fault == "refusal":
            text, refusal = "", "I cannot talk about that"
        elif fault == "echo":  # a server that repeats the key in its answer
            text = " ".join(sorted(self.authorizations))
        one = {"message": {"role": "assistant", "content": text, "refusal": refusal}, "finish_reason": reason}
        answer: dict[str, Any] = {"object": "chat.completion", "choices": [one] * body.get("n", 1)}
        if self.usage:
            details = {"reasoning_tokens": 0}
            answer["usage"] = {
                "prompt_tokens": 20,
                "completion_tokens": 10,
                "total_tokens": 30,
                "completion_tokens_details": details,
            }
        return answer


def _message(body: dict[str, Any]) -> str:
    """What the user says; of a message in parts, the texts."""
    content = next(m["content"] for m in body["messages"] if m["role"] == "user")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _error(message: str, code: str, param: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "type": "error", "code": code, "param": param}})


async def _write(writer: asyncio.StreamWriter, status: int, headers: list[str], payload: bytes, only: int = -1) -> None:
    """An HTTP response, or the first `only` bytes of its body."""
    lines = [f"HTTP/1.1 {status} {_STATUS.get(status, 'Other')}", "Content-Type: application/json", *headers]
    head = ("\r\n".join([*lines, f"Content-Length: {len(payload)}"]) + "\r\n\r\n").encode()
    writer.write(head + (payload if only < 0 else payload[:only]))
    await writer.drain()


async def _chunks(reader: asyncio.StreamReader, head: str) -> bytes:
    """The body of a request that does not say its length."""
    body = b""
    if re.search(r"transfer-encoding: chunked", head, re.IGNORECASE):
        while (length := int(await reader.readline(), 16)) > 0:
            body += (await reader.readexactly(length + 2))[:-2]
        await reader.readline()
    return body
