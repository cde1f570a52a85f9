"""What all transfers share: opening an address, repeated attempts, and running programs."""

import contextlib
import http.client
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import tenacity

from nounflow.atomic import disk_errors
from nounflow.errors import NounflowError
from nounflow.retry_after import retry_after

ATTEMPTS = 3
_LONGEST_WAIT_S = 300.0
_SILENCE_S = 60  # without a byte before a connection counts as dead

Result = TypeVar("Result")


class TransferError(NounflowError):
    """The network or a server failed in a way that may pass; `retried` tries again."""

    wait_s = 0.0  # as the server asks


@contextlib.contextmanager
def opened(
    address: str, schemes: tuple[str, ...], agent: str | None = None, fix: str | None = None, later: str | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request.

    Args:
        schemes: of addresses that are asked, such as "https".
        agent: who asks, if not Python.
        fix: a way out where the server refuses.
        later: a way out where it may work later; None: the same.

    Raises:
        TransferError: no connection, a busy server, or a connection that is cut while the answer is read.
        NounflowError: another refusal, or an address of another scheme.
    """
    try:
        parts = urlsplit(address)
        address.encode("ascii")
        if parts.scheme not in schemes:
            raise ValueError
    except ValueError:
        fix = f"use {'://, '.join(schemes)}://, and %-codes for what is no ASCII"
        raise NounflowError("Not an address to fetch from", where=address, fix=fix) from None
    request = urllib.request.Request(address, headers={"User-Agent": agent} if agent else {})
    own = parts.hostname in ("localhost", "127.0.0.1", "::1")  # no proxy can reach this machine for us
    opener = urllib.request.build_opener(*[urllib.request.ProxyHandler({})] * own)
    try:
        with opener.open(request, timeout=_SILENCE_S) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        problem = f"The server answered {error.code} {error.reason}"
        if error.code not in (408, 425, 429) and error.code < 500:
            raise NounflowError(problem, where=address, fix=fix) from error
        busy = TransferError(problem, where=address, fix=later or fix)
        busy.wait_s = retry_after(error.headers) or 0.0
        raise busy from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise TransferError(f"The server cannot be reached ({reason})", where=address, fix=later or fix) from error


def retried(attempt: Callable[[], Result], first_wait_s: float = 2.0) -> Result:
    """Call `attempt` up to three times as long as it raises TransferError.

    It waits 2, then 4 s (with another `first_wait_s`: that, then twice as long), or what the server asks; if that is
    more than five minutes it gives up at once.
    """

    def fault(state: tenacity.RetryCallState) -> BaseException | None:
        return state.outcome.exception() if state.outcome else None

    def announce(state: tenacity.RetryCallState) -> None:
        failed = f"attempt {state.attempt_number} of {ATTEMPTS} failed"
        print(f"{failed}, next in {state.upcoming_sleep:.0f} s: {fault(state)}", flush=True)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=lambda state: max(first_wait_s * 2.0 ** (state.attempt_number - 1), getattr(fault(state), "wait_s", 0.0)),
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, TransferError) and error.wait_s <= _LONGEST_WAIT_S
        ),
        before_sleep=announce,
        reraise=True,
    )
    return retrying(attempt)


@contextlib.contextmanager
def work_folder(cache: Path, name: str) -> Iterator[Path]:
    """A folder below `cache` for what is fetched, deleted afterwards."""
    with disk_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=cache.resolve()) as work:
            yield Path(work)


def run_program(command: Sequence[str], folder: Path, echo: bool = False) -> tuple[int, str]:
    """Run a program in `folder`; returns its exit status and output, both streams together.

    With `echo`, each line is also printed as it comes. Messages are in English whatever the locale.
    """
    lines: list[str] = []
    with subprocess.Popen(
        list(command),
        cwd=folder,
        env=os.environ | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if echo:
                print(f"  {line.rstrip()}", flush=True)
    return process.returncode, "".join(lines)


def last_line(output: str) -> str:
    """What a program said last; apt's last error with a reason, if it marks one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:") and "Some index files failed to download" not in line]
    return (errors or lines or ["it said nothing"])[-1]
