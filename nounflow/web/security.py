"""Who may talk to the page's server: this start's token, the same origin, the expected host. Nobody else.

A web site that the user visits meanwhile can send requests to a port of this machine, and can make its own name point
at it. It knows no token, its requests carry its origin, and its name is not ours.
"""

import contextlib
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1_000_000  # of a request's body
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware: lets through what comes from the page itself, and adds the headers that keep it so."""

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int, allowed: Iterable[str] = ()) -> None:
        """`allowed`: further names under which the page may be opened, where the port is open to a network."""
        self._app, self._token = app, token
        self._cookie = f"nounflow_{port}"  # cookies do not tell ports apart
        # With any port: a forwarded one (`ssh -L`) is another here. A stranger's name is none of these.
        self._hosts = {*LOOPBACK, *(name.lower() for name in allowed)}
        if host not in LOOPBACK:
            self._hosts |= {host.lower(), *own_names()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no websockets here

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope) or self._admission(scope)
        await (answer or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            return _refuse(
                421, "This server answers only under this machine's names and addresses; --allow-host adds another."
            )
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin != f"http://{host}" or site not in (None, "same-origin"):
            return _refuse(403, "Only the page itself may change anything.")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refuse(415, "Send JSON.")
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            return _refuse(411, "Say how long the request is.")
        return _refuse(413, "The request is too long.") if int(length) > MOST_BYTES else None

    def _admission(self, scope: Scope) -> Response | None:
        """None for who has the cookie; the cookie for who brings the token; else a refusal."""
        query = QueryParams(scope["query_string"])
        given = query.get("token")
        if given is not None and scope["path"] == "/" and scope["method"] == "GET" and self._is_token(given):
            rest = urlencode([(name, value) for name, value in query.multi_items() if name != "token"])
            response = RedirectResponse(f"/?{rest}" if rest else "/", 303)  # the token stays out of the history
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            return response
        if self._is_token(HTTPConnection(scope).cookies.get(self._cookie, "")):
            return None
        return _refuse(401, "Open the address that was printed when the server was started last.")

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), self._token.encode())


def own_names() -> set[str]:
    """Names and addresses under which other machines may know this one."""
    names = {socket.gethostname().lower(), socket.getfqdn().lower()}
    for name in tuple(names):
        with contextlib.suppress(OSError, UnicodeError):
            names |= {str(found[4][0]).lower() for found in socket.getaddrinfo(name, None)}
    return names | {address for address in (own_address(),) if address}


def own_address() -> str | None:
    """The address of this machine in its network; None where it has none. Nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # of no machine: only the route to it is looked up
        return str(probe.getsockname()[0])
    return None


def web_address(host: str, port: int) -> str:
    """An address that can be opened, of a server that listens at a host, which may stand for all of this machine's."""
    if host in ("", "0.0.0.0", "::"):
        host = own_address() or "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _name_of(host: str) -> str:
    """The name of a Host header, without its port and brackets."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    return name.strip("[]").lower()


def _refuse(status: int, words: str) -> Response:
    return PlainTextResponse(words + "\n", status)
