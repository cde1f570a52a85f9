"""Snakemake's dry run, read back."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nounflow.errors import NounflowError

_JOB = re.compile(r"^Job \d+: (?P<message>.*)\nReason: (?P<reason>.*)$", flags=re.MULTILINE)
_COUNT = re.compile(r"^(?P<rule>\w+) +(?P<n>\d+)$", flags=re.MULTILINE)
_SUMMARY_CELLS = 6  # output_file, date, rule, log-file(s), status, plan
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
    return read(_snakemake([*options, "--dry-run"], configfiles))


def changed_outputs(targets: Sequence[str], configfiles: Sequence[Path] = ()) -> dict[str, list[str]]:
    """Rule -> those of its outputs whose job has other settings, code or inputs than when it ran.

    A dry run does not tell: of a job that follows from another one, it looks at no more.
    """
    changed: dict[str, list[str]] = {}
    for line in _snakemake([*targets, "--summary", "--dry-run"], configfiles).splitlines():
        cells = line.split("\t")
        if len(cells) == _SUMMARY_CELLS and cells[4].endswith("changed"):
            changed.setdefault(cells[2], []).append(cells[0])
    return changed


def _snakemake(options: Sequence[str], configfiles: Sequence[Path]) -> str:
    command = [sys.executable, "-m", "snakemake", *options, "--cores", "1"]
    if configfiles:
        command += ["--configfile", *map(str, configfiles)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode:
        raise NounflowError(f"Snakemake cannot plan this:\n{_tail(output)}", fix="call it in the project's folder")
    return output


def read(output: str) -> DryRun:
    """The parts of a dry run's output that are used here."""
    stats = output.split("Job stats:", 1)[-1].split("\n\n", 1)[0] if "Job stats:" in output else ""
    rules = {match["rule"]: int(match["n"]) for match in _COUNT.finditer(stats) if match["rule"] not in _GATHERING}
    return DryRun(tuple((match["message"], match["reason"].strip()) for match in _JOB.finditer(output)), rules)


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-12:])
