"""One request over the network, through the official client with its own retries off."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import openai

from nounflow.config.llm import LLMConfig
from nounflow.llm.faults import Fault, fault_of, struck
from nounflow.llm.keys import read_key, redact
from nounflow.llm.requests import Request

_CONNECTIONS = 64  # of one client


@dataclass(frozen=True, slots=True)
class Server:
    """What a server can do, as a tiny request has shown."""

    schema: bool = True  # holds answers to a JSON schema; without, the schema is told in words
    choices: bool = True  # gives several answers to one request
    usage: bool = True  # counts tokens; without, the budget counts worst cases
    room_name: str = "max_tokens"  # what it calls the limit of an answer

    def as_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)


class ChatHttp:
    """Sends one request and brings the raw body, or says why there is none. It never retries."""

    def __init__(self, config: LLMConfig, heed: Callable[[Mapping[str, str]], None]) -> None:
        """`heed` gets the headers of every response."""
        self._config, self._heed = config, heed
        self._key = read_key(config)
        # A pool's work grows with the square of its connections, so there are several.
        clients = [
            openai.AsyncOpenAI(api_key=self._key, base_url=config.base_url, max_retries=0, timeout=config.timeout_s)
            for _ in range(math.ceil(config.concurrency / _CONNECTIONS))
        ]
        self._clients, self._turn = clients, itertools.cycle(clients)

    def __repr__(self) -> str:
        return f"ChatHttp({self._config.base_url!r})"

    async def send(self, request: Request, room: int, server: Server) -> str | Fault:
        """The body of the answer with the key struck out, or the fault. `room`: most tokens of the answer."""
        messages, parameters = call(self._config, request, room, server)
        try:
            # The client's own timeout restarts with every byte; this one does not.
            async with asyncio.timeout(self._config.timeout_s):
                response = await next(self._turn).chat.completions.with_raw_response.create(
                    model=self._config.model, messages=messages, extra_body=parameters
                )
                self._heed(response.headers)
                return redact(response.content.decode("utf-8", errors="replace"), self._key)
        except (openai.APIError, TimeoutError) as error:
            if isinstance(error, openai.APIStatusError):
                self._heed(error.response.headers)
            return struck(fault_of(error), self._key)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.close()


def call(config: LLMConfig, request: Request, room: int, server: Server) -> tuple[list[Any], dict[str, Any]]:
    """Messages and further parameters of a chat completion, as the server understands them."""
    messages: list[Any] = [dict(message) for message in request.messages]
    parameters: dict[str, Any] = {server.room_name: room, **request.extra}
    if config.temperature is not None:
        parameters["temperature"] = config.temperature
    if request.choices > 1 and server.choices:
        parameters["n"] = request.choices
    if request.schema is not None:
        if server.schema:
            form = {"name": "answer", "schema": request.schema, "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": form}
        else:
            told = "Answer with nothing but one JSON value that follows this JSON schema:\n"
            messages.append({"role": "system", "content": told + json.dumps(request.schema)})
    return messages, parameters
