"""How far a workflow is: jobs done and to do by rule, the last words of what runs now, and what has failed."""

import os
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nounflow.job_log import read_log
from nounflow.workflow.dry_run import DryRun

_DONE = "done in "  # how the log of a finished job ends
_DEAD = re.compile(r"^(error:|stopped by|interrupted)", flags=re.MULTILINE)
_HEADER = "# "  # nothing was said yet after the header
_TAIL_BYTES = 8192
_STARTING_S = 60  # Python starts; a log that stays empty for longer is that of no job


@dataclass(frozen=True)
class Job:
    """A job whose log has no end."""

    log: Path
    line: str  # its last words
    seconds: float  # since then
    runs: bool  # else it has failed or died


def by_rule(everything: DryRun, missing: DryRun) -> list[tuple[str, int, int]]:
    """(rule, jobs done, jobs to do), in the order of a whole run."""
    return [(rule, max(n - missing.rules.get(rule, 0), 0), missing.rules.get(rule, 0)) for rule, n in
            everything.rules.items()]  # fmt: skip


def unfinished(logs: Path, since: float, now: float | None = None) -> Iterator[Job]:
    """Jobs that run, and those that have failed or died.

    Args:
        logs: folder of all logs.
        since: s since the epoch; older logs are passed over (see `last_start`).
    """
    now = time.time() if now is None else now
    for path in sorted(logs.rglob("*.log")):
        written = path.stat().st_mtime
        if written >= since and path.relative_to(logs).parts[0] != "slurm" and (job := _job(path, now - written)):
            yield job


def last_start(project: Path) -> float:
    """When Snakemake was last started to run jobs, s since the epoch; 0 for never."""
    names = sorted(path.name for path in (project / ".snakemake/log").glob("*.snakemake.log"))
    return datetime.strptime(names[-1].split(".")[0], "%Y-%m-%dT%H%M%S").timestamp() if names else 0.0


def last_line(text: str) -> str:
    """The last line, or the last state of a progress bar."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    return next((line for line in reversed(lines) if line), "")


def _job(log: Path, seconds: float) -> Job | None:
    tail = _tail(log)
    line = last_line(tail)
    if line.startswith(_DONE) or (not line and seconds > _STARTING_S):
        return None
    if dead := _DEAD.search(tail):
        return Job(log, tail[dead.start() :].splitlines()[0], seconds, runs=False)
    return Job(log, "started" if not line or line.startswith(_HEADER) else line, seconds, runs=_lives(log))


def _lives(log: Path) -> bool:
    """False only where this machine can tell: what another one runs counts as alive."""
    process, _, machine = read_log(log).get("process", "").partition(" on ")
    if machine == platform.node():
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it is somebody else's
            pass
    return True


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace")
