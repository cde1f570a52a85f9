"""How far a workflow is: jobs done and to do by rule, and the last words of what runs now."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nounflow.workflow.dry_run import DryRun

_QUIET_S = 120  # a log that was silent for so long belongs to no running job
_ENDED = re.compile(r"^(done in|error:|stopped by|interrupted)")
_HEADER = "# "  # nothing was said yet after the header
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class Running:
    """A job that writes to its log."""

    log: Path
    line: str
    seconds: float  # since its last word


def by_rule(everything: DryRun, missing: DryRun) -> list[tuple[str, int, int]]:
    """(rule, jobs done, jobs to do), in the order of a whole run."""
    return [(rule, max(n - missing.rules.get(rule, 0), 0), missing.rules.get(rule, 0)) for rule, n in
            everything.rules.items()]  # fmt: skip


def running(logs: Path, now: float | None = None) -> Iterator[Running]:
    """Logs that grew lately and have not ended."""
    now = time.time() if now is None else now
    for path in sorted(logs.rglob("*.log")):
        seconds = now - path.stat().st_mtime
        line = last_line(path) if seconds < _QUIET_S else ""
        if line and not _ENDED.match(line):
            yield Running(path, "started" if line.startswith(_HEADER) else line, max(seconds, 0.0))


def last_line(path: Path) -> str:
    """The last line, or the last state of a progress bar."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    return next((line for line in reversed(lines) if line), "")
