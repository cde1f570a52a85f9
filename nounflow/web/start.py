"""A page's server: where it listens, how it is opened in a browser; and how much is judged."""

import contextlib
import logging
import secrets
import threading
import webbrowser
from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.types import ASGIApp

from nounflow.annotation.plan import scored_pairs
from nounflow.annotation.work import Work
from nounflow.schemas.predictions import Predictions
from nounflow.web.connections import SaidOnce, listening_socket, run_app
from nounflow.web.security import LOOPBACK, Guard, web_address
from nounflow.web.task_queue import TaskQueue

_CONNECTIONS = 200  # at a time; a browser opens six


def coverage_lines(work: Work, queue: TaskQueue) -> list[str]:
    """How much is judged: of all that is asked, and of each run's first nouns, which its score is made from."""
    pairs = {(task.image, ask.noun) for task in queue.tasks for ask in task.asks}
    if queue.review:
        return [f"{queue.coverage(pairs):,} of {len(pairs):,} contradictions reviewed"]
    rows = [("pairs", pairs)]
    for document in work.predictions:
        what = "first nouns" if isinstance(document, Predictions) else "nouns"
        rows.append((f"{what} of {document.run}", scored_pairs(document, work.digests.images)))
    lines = []
    for what, wanted in rows:
        judged = queue.coverage(wanted)
        lines.append(f"{judged:,} of {len(wanted):,} {what} judged ({judged / max(1, len(wanted)):.1%})")
    return lines


def serve_app(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    browser: bool = True,
    annotator: str = "",
    allowed_hosts: Sequence[str] = (),
    note: str = "",
) -> None:
    """Run a page's server until it is interrupted; who knows the printed address is let in."""
    with listening_socket(host, port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(24)
        url = page_address(host, port, token, annotator)
        print(f"open  {url}\nstop  Ctrl+C{note}", flush=True)
        if host not in LOOPBACK:
            print("      the port is open to your network: whoever has this address is let in", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        logging.getLogger("asyncio").addFilter(SaidOnce())
        guarded = Guard(app, token=token, host=host, port=port, allowed=allowed_hosts)
        with contextlib.suppress(KeyboardInterrupt):  # how a user ends it
            run_app(guarded, listening, end_s=3, connections=_CONNECTIONS)


def page_address(host: str, port: int, token: str, annotator: str) -> str:
    """The address that lets its reader in."""
    query = urlencode({"token": token} | ({"annotator": annotator} if annotator else {}))
    return f"{web_address(host, port)}/?{query}"
