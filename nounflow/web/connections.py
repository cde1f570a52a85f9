"""Connections that ask for nothing: closed after a while, and what the system says of too many said once."""

import asyncio
import logging
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from nounflow.errors import NounflowError

HEADER_S = 10.0  # until a request's header must be whole


class PromptHttp(H11Protocol):
    """HTTP whose connections are closed when a request's header is not whole in time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEADER_S, transport.close)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        asked = self.cycle is not None and not self.cycle.response_complete
        if asked and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif not asked and self._timer is None:
            self._timer = self.loop.call_later(HEADER_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)


class SaidOnce(logging.Filter):
    """Says once what asyncio repeats for each connection that it cannot take: no more file handles."""

    def __init__(self) -> None:
        super().__init__()
        self._said = False

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        if "socket.accept() out of system resource" not in record.getMessage():
            return True
        record.msg, record.args, record.exc_info = "Too many connections: no file handle is left for more", (), None
        said, self._said = self._said, True
        return not said


def run_app(app: ASGIApp, listening: socket.socket, end_s: int, connections: int) -> None:
    """Serve until interrupted; what is being answered then has `end_s` seconds. More `connections` are turned away."""
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", http=PromptHttp,
        timeout_graceful_shutdown=end_s, limit_concurrency=connections,
    )  # fmt: skip
    uvicorn.Server(settings).run(sockets=[listening])


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at the address.

    Raises:
        NounflowError: another program has the port. Not the next free one: what waits in the browser belongs to an
            address, port included.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio sends short answers at once; else the client's delayed acknowledgement costs 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # from now on a browser waits for the server instead of being refused
    except (OSError, OverflowError) as error:
        listening.close()
        raise NounflowError(
            f"The port {port} of {host} cannot be used ({getattr(error, 'strerror', None) or error})",
            fix="end the program that has it (another `nounflow` command?), or pass another one with --port",
        ) from None
    return listening
