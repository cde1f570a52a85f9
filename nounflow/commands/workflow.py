"""`nounflow plan`, `why`, `status`, `costs`: what a config will take, what would rerun, how far, what it took."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add them to the parsers of `nounflow`."""
    plan = commands.add_parser("plan", help="jobs, texts, bytes, hours and cost of a config, before anything runs")
    plan.add_argument("configfile", nargs="*", type=Path, help="recipes laid over config/config.yaml")
    plan.add_argument("--machine", default="two-cores", help="whose rates to take, a name in resources/rates.tsv")
    plan.add_argument("--usd-per-hour", type=float, help="price of an hour of that machine")
    plan.set_defaults(call=_plan)

    why = commands.add_parser("why", help="explain in one screen what Snakemake would run, and why")
    why.set_defaults(call=_why)

    status = commands.add_parser("status", help="jobs done and to do, and the last words of what runs now")
    status.add_argument(
        "targets", nargs="*", metavar="TARGET", help="files (default: results/scores.tsv and the report)"
    )
    status.set_defaults(call=_status)

    costs = commands.add_parser("costs", help="time and memory of the jobs that have run, by rule")
    costs.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    costs.add_argument("--jobs", action="store_true", help="a line for each job")
    costs.set_defaults(call=_costs)

    for command in (why, status):
        command.add_argument(
            "--configfile", nargs="+", type=Path, default=[], help="files laid over config/config.yaml"
        )


def _plan(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from nounflow.config.experiment import read_config
    from nounflow.errors import NounflowError
    from nounflow.workflow.plan import lexicon_sizes, plan, read_rates

    rates_path = Path("resources/rates.tsv")
    rates = read_rates(rates_path)
    if arguments.machine not in (machines := rates["machine"].unique().sort().to_list()):
        raise NounflowError(
            f"No rates for '{arguments.machine}'", where=rates_path, fix=f"one of {', '.join(machines)}"
        )
    config = read_config([Path("config/config.yaml"), *arguments.configfile])
    sizes, notes = lexicon_sizes(config, Path("results/nouns"))
    steps = plan(config, sizes, rates, arguments.machine)
    table = Table("step", "jobs", "amount", "GB", "hours", "rate", box=None, header_style="bold")
    for column in table.columns[1:5]:
        column.justify = "right"
    for step in steps:
        room = "?" if step.bytes is None else f"{step.bytes / 1e9:,.2f}"
        time = "?" if step.hours is None else f"{step.hours:,.2f}"
        table.add_row(step.what, str(step.jobs), f"{step.amount:,} {step.unit}",
                      room if step.unit == "texts" else "", time, step.source)  # fmt: skip
    console = Console(highlight=False, width=max(Console().width, 110))
    console.print(table)
    hours = sum(step.hours or 0.0 for step in steps)
    unknown = sum(step.hours is None for step in steps)
    total = f"{hours:,.2f} hours in all on {arguments.machine}"
    if arguments.usd_per_hour is not None:
        total += f", {hours * arguments.usd_per_hour:,.2f} USD"
    console.print(total + (f"; {unknown} steps have no rate and are not in it" if unknown else ""))
    for note in notes:
        console.print(note)


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


def _costs(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from nounflow.errors import NounflowError
    from nounflow.workflow.job_costs import by_rule, job_costs

    costs = job_costs(arguments.results)
    if costs.is_empty():
        raise NounflowError("No job has left a benchmark file", where=arguments.results, fix="run the workflow first")
    shown = costs.drop("host", "device") if arguments.jobs else by_rule(costs)
    table = Table(*shown.columns, box=None, header_style="bold")
    for column, kind in zip(table.columns, shown.dtypes, strict=True):
        column.justify = "right" if kind.is_numeric() else "left"
    for row in shown.iter_rows():
        table.add_row(
            *("-" if cell is None else f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row)
        )
    Console(highlight=False).print(table)
