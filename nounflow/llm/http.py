"""One request over the network, through the official client with its own retries off."""

import asyncio
import ipaddress
import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai

from nounflow.config.llm import LLMConfig
from nounflow.errors import NounflowError
from nounflow.llm.faults import Fault, fault_of, struck
from nounflow.llm.keys import read_key, redact
from nounflow.llm.requests import Request

_CONNECTIONS = 64  # of one client
_MAX_BODY = 16 << 20  # bytes of an answer; the longest texts have some hundred kB
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


def api_client(config: LLMConfig, key: str) -> openai.AsyncOpenAI:
    """The official client: no retries and no redirects of its own, no compressed answers, no proxy before loopback.

    Raises:
        NounflowError: a proxy is set that cannot be used.
    """
    loopback = _is_loopback(urlsplit(config.base_url).hostname or "")
    try:
        transport = openai.DefaultAsyncHttpxClient(
            timeout=config.timeout_s, follow_redirects=False, trust_env=not loopback
        )
    except (ImportError, ValueError) as error:  # SOCKS without its package, or no address
        named = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
        raise NounflowError(
            f"The proxy of the environment cannot be used ({str(error).splitlines()[0]})",
            where=", ".join(named),
            fix="for a SOCKS proxy: pip install socksio; or unset these variables",
        ) from None
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=config.base_url,
        max_retries=0,
        http_client=transport,
        default_headers={"Accept-Encoding": "identity"},
    )


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


@dataclass(frozen=True, slots=True)
class Server:
    """What a server can do, as a tiny request has shown."""

    schema: bool = True  # holds answers to a JSON schema; without, the schema is told in words
    choices: bool = True  # gives several answers to one request
    usage: bool = True  # counts tokens; without, the budget counts worst cases
    room_name: str = "max_tokens"  # what it calls the limit of an answer


class ChatHttp:
    """Sends one request and brings the raw body, or says why there is none. It never retries."""

    def __init__(self, config: LLMConfig, heed: Callable[[Mapping[str, str]], None]) -> None:
        """`heed` gets the headers of every response."""
        self._config, self._heed = config, heed
        self._key = read_key(config)
        # A pool's work grows with the square of its connections, so there are several.
        clients = [api_client(config, self._key) for _ in range(math.ceil(config.concurrency / _CONNECTIONS))]
        self._clients, self._turn = clients, itertools.cycle(clients)

    async def send(self, request: Request, room: int, server: Server) -> str | Fault:
        """The body of the answer with the key struck out, or the fault. `room`: most tokens of the answer."""
        body = body_of(self._config, request, room, server)
        try:
            # The client's own timeout restarts with every byte; this one does not.
            async with asyncio.timeout(self._config.timeout_s):
                calls = next(self._turn).chat.completions.with_streaming_response
                async with calls.create(
                    model=body.pop("model"), messages=body.pop("messages"), extra_body=body
                ) as response:
                    self._heed(response.headers)
                    content = bytearray()
                    async for part in response.iter_bytes():
                        content += part
                        if len(content) > _MAX_BODY:
                            return Fault("retry", f"an answer of more than {_MAX_BODY >> 20} MB", maybe_paid=True)
                    return redact(content.decode("utf-8", errors="replace"), self._key)
        except (openai.APIError, TimeoutError) as error:
            if isinstance(error, openai.APIStatusError):
                self._heed(error.response.headers)
            return struck(fault_of(error), self._key)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.close()


def body_of(config: LLMConfig, request: Request, room: int, server: Server) -> dict[str, Any]:
    """The body of a chat completion, as the server understands it. `room`: most tokens of the answer."""
    names = config.sent_names() | {"max_output_tokens": server.room_name}
    values = config.sent() | {"max_output_tokens": room}
    if config.sampling_seed is not None:  # the same seed would bring the same answer
        values["sampling_seed"] = config.sampling_seed + request.attempt
    body = {names[field]: value for field, value in values.items()}
    body["messages"] = [dict(message) for message in request.messages]
    if request.choices > 1 and server.choices:
        body["n"] = request.choices
    if request.schema is not None:
        if server.schema:
            form = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        else:
            told = "Answer with nothing but one JSON value that follows this JSON schema:\n"
            body["messages"].append({"role": "system", "content": told + json.dumps(request.schema)})
    return body
