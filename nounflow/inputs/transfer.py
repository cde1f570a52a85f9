"""What all transfers share: repeated attempts, and running programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import tenacity

from nounflow.errors import NounflowError

ATTEMPTS = 3
_LONGEST_WAIT_S = 300.0

Result = TypeVar("Result")


class TransferError(NounflowError):
    """The network or a server failed in a way that may pass; `retried` tries again."""

    wait_s = 0.0  # as the server asks


def retried(attempt: Callable[[], Result], first_wait_s: float = 2.0) -> Result:
    """Call `attempt` up to three times as long as it raises TransferError.

    It waits 2, then 4 s (with another `first_wait_s`: that, then twice as long), or what the server asks; if that is
    more than five minutes it gives up at once.
    """

    def asked(error: BaseException | None) -> float:
        return error.wait_s if isinstance(error, TransferError) else -1.0

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(first_wait_s * 2.0 ** (state.attempt_number - 1), asked(error))

    def announce(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0
        print(f"attempt {state.attempt_number} of {ATTEMPTS} failed, next in {wait:.0f} s: {error}", flush=True)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait,
        retry=tenacity.retry_if_exception(lambda error: 0 <= asked(error) <= _LONGEST_WAIT_S),
        before_sleep=announce,
        reraise=True,
    )
    return retrying(attempt)


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
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if echo:
                print(f"  {line.rstrip()}", flush=True)
    return process.returncode, "".join(lines)


def last_line(output: str) -> str:
    """What a program said last; apt's last error with a reason, if it marks one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:") and "Some index files failed to download" not in line]
    return (errors or lines or ["it said nothing"])[-1]
