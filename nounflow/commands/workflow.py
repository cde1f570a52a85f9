"""`nounflow why` and `nounflow status`: what would rerun and for which reason, and how far things are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add both to the parsers of `nounflow`."""
    why = commands.add_parser("why", help="explain in one screen what Snakemake would run, and why")
    why.set_defaults(call=_why)

    status = commands.add_parser("status", help="jobs done and to do, and the last words of what runs now")
    status.add_argument(
        "targets", nargs="*", metavar="TARGET", help="files (default: results/scores.tsv and the report)"
    )
    status.set_defaults(call=_status)

    for command in (why, status):
        command.add_argument(
            "--configfile", nargs="+", type=Path, default=[], help="files laid over config/config.yaml"
        )


def _why(arguments: argparse.Namespace) -> None:
    from nounflow.workflow.dry_run import dry_run
    from nounflow.workflow.why import as_text, reasons

    print(as_text(reasons(dry_run(arguments.targets, arguments.configfile))))


def _status(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from nounflow.workflow.dry_run import dry_run
    from nounflow.workflow.status import by_rule, running

    everything = dry_run([*arguments.targets, "--forceall"], arguments.configfile)
    rules = by_rule(everything, dry_run(arguments.targets, arguments.configfile))
    table = Table("rule", "done", "to do", box=None, header_style="bold")
    for rule, done, left in rules:
        table.add_row(rule, str(done), str(left) if left else "-", style="dim" if not left else "")
    console = Console(highlight=False)
    console.print(table)
    left = sum(n for _, _, n in rules)
    console.print(f"{left} of {sum(done + n for _, done, n in rules)} jobs to do" if left else "All is done.")
    for job in running(Path("results/logs")):
        console.print(f"{job.log}: {job.line} ({job.seconds:.0f} s ago)", markup=False)
