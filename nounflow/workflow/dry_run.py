"""Snakemake's dry run, read back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nounflow.errors import NounflowError

_JOB = re.compile(r"^Job \d+: (?P<message>.*)\nReason: (?P<reason>.*)$", flags=re.MULTILINE)
_COUNT = re.compile(r"^(?P<rule>\w+) +(?P<n>\d+)$", flags=re.MULTILINE)
_GATHERING = ("all", "total")  # rows of the table that are no work


@dataclass(frozen=True)
class DryRun:
    """What Snakemake would do."""

    jobs: tuple[tuple[str, str], ...]  # (message, reason)
    rules: dict[str, int]  # rule -> number of jobs


def dry_run(options: Sequence[str], configfiles: Sequence[Path] = ()) -> DryRun:
    """Ask Snakemake, in the working folder.

    Args:
        options: targets first, then options.

    Raises:
        NounflowError: Snakemake refuses, with its own words.
    """
    command = [sys.executable, "-m", "snakemake", *options, "--dry-run", "--cores", "1"]
    if configfiles:
        command += ["--configfile", *map(str, configfiles)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode:
        raise NounflowError(f"Snakemake cannot plan this:\n{_tail(output)}", fix="call it in the project's folder")
    return read(output)


def read(output: str) -> DryRun:
    """The parts of a dry run's output that are used here."""
    stats = output.split("Job stats:", 1)[-1].split("\n\n", 1)[0] if "Job stats:" in output else ""
    rules = {match["rule"]: int(match["n"]) for match in _COUNT.finditer(stats) if match["rule"] not in _GATHERING}
    return DryRun(tuple((match["message"], match["reason"].strip()) for match in _JOB.finditer(output)), rules)


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-12:])
