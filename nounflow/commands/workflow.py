"""`nounflow plan`, `why`, `status`, `costs`: what a config will take, what would rerun, how far, what it took."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commands.options import HOME, add_configfile, config_files, config_of
from nounflow.commands.tables import add_json, show

if TYPE_CHECKING:
    from nounflow.workflow.status import Job


def add(commands: Any) -> None:
    """Add them to the parsers of `nounflow`."""
    plan = commands.add_parser("plan", help="jobs, texts, bytes, hours and cost of a config, before anything runs")
    plan.add_argument("recipes", nargs="*", type=Path, metavar="RECIPE", help="recipes laid over config/config.yaml")
    add_configfile(plan)
    plan.add_argument(
        "--machine",
        help="whose rates to take, a name in resources/rates.tsv (default: this one, measured for a few seconds)",
    )
    plan.add_argument("--usd-per-hour", type=float, help="price of an hour of that machine")
    plan.set_defaults(call=_plan)

    why = commands.add_parser("why", help="explain in one screen what Snakemake would run, and why")
    why.set_defaults(call=_why)

    status = commands.add_parser("status", help="jobs done and to do, the last words of what runs now, what has failed")
    status.set_defaults(call=_status)

    costs = commands.add_parser("costs", help="time and memory of the jobs that have run, by rule")
    costs.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    costs.add_argument("--jobs", action="store_true", help="a line for each job")
    costs.set_defaults(call=_costs)

    add_json(plan, why, status, costs)
    for command in (why, status):
        command.add_argument(
            "targets", nargs="*", metavar="TARGET", help="files (default: results/scores.tsv and the report)"
        )
        add_configfile(command)


def _plan(arguments: argparse.Namespace) -> None:
    from nounflow.errors import NounflowError
    from nounflow.workflow.plan import PROCESSOR, lexicon_sizes, plan, read_rates

    arguments.configfile += arguments.recipes
    config = config_of(arguments)
    rates_path = HOME / "resources/rates.tsv"
    rates = read_rates(rates_path)
    sizes, notes = lexicon_sizes(config, Path("results/nouns"))
    machine = arguments.machine
    if machine is None:
        from nounflow.commands.speeds import HERE, measured_rates
        from nounflow.process import prepare_process

        machine = HERE
        rates += measured_rates(config, sizes, prepare_process(config.device, config.threads))
    if machine not in (machines := sorted({rate.machine for rate in rates} - {PROCESSOR})):
        raise NounflowError(f"No rates for '{machine}'", where=rates_path, fix=f"one of {', '.join(machines)}")
    steps = plan(config, sizes, rates, machine)
    rows = [
        {
            "step": step.what,
            "jobs": step.jobs,
            "amount": step.amount,
            "of": step.unit,
            "GB": None if step.bytes is None else step.bytes / 1e9,
            "hours": step.hours,
            "rate": step.source,
        }
        for step in steps
    ]
    show("steps", rows, digits={"GB": 2, "hours": 3})
    hours, vectors = sum(step.hours or 0.0 for step in steps), sum(step.bytes or 0 for step in steps)
    jobs, unknown = sum(step.jobs for step in steps), sum(step.hours is None for step in steps)
    print(f"{jobs} jobs, {vectors / 1e9:,.2f} GB of vectors")
    print(f"{hours:,.2f} hours, one after the other, on {machine}")
    if unknown:
        print(f"not in it: {unknown} steps without a rate (`nounflow check SPEC` measures an embedder here)")
    if arguments.usd_per_hour is not None:
        print(f"{hours * arguments.usd_per_hour:,.2f} USD at {arguments.usd_per_hour} an hour")
    else:
        print("--usd-per-hour PRICE says what that costs")
    if any(step.what.startswith("write llm ") for step in steps):
        print("what the captions of a language model cost: nounflow captions estimate")
    for note in notes:
        print(note)


def _why(arguments: argparse.Namespace) -> None:
    from nounflow.workflow.why import as_text, explain

    config_files()
    found = explain(arguments.targets, arguments.configfile)
    causes = [{"job": job, "because": because} for job, because in found.causes]
    show("causes", causes, lambda: print(as_text(found)))
    show("follow", [{"job": job} for job in found.followers], lambda: None)
    show("changed", [{"rule": rule} for rule in found.changed], lambda: None)


def _status(arguments: argparse.Namespace) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from nounflow.workflow.dry_run import dry_run
    from nounflow.workflow.status import by_rule, last_start, unfinished

    config_files()
    with ThreadPoolExecutor() as pool:  # each asks a Snakemake process of its own
        everything, missing = pool.map(
            lambda options: dry_run([*arguments.targets, *options], arguments.configfile), (["--forceall"], [])
        )
    rules = by_rule(everything, missing)
    show("rules", [{"rule": rule, "done": done, "to do": left} for rule, done, left in rules])
    left = sum(n for _, _, n in rules)
    if not left:
        print("All is done.")
        return
    print(f"{left} of {sum(done + n for _, done, n in rules)} jobs to do")
    jobs = list(unfinished(Path("results/logs"), last_start(Path())))
    show("unfinished", jobs, lambda: _say(jobs))


def _say(jobs: list[Job]) -> None:
    for title, runs in (("Running:", True), ("Failed, or died:", False)):
        found = [f"  {job.log}: {job.line} ({job.seconds:.0f} s ago)" for job in jobs if job.runs is runs]
        if found or runs:
            print(title, *(found or ["  no job (one in the queue of a cluster has no log yet)"]), sep="\n")


def _costs(arguments: argparse.Namespace) -> None:
    from nounflow.errors import NounflowError
    from nounflow.workflow.job_costs import by_rule, job_costs

    costs = job_costs(arguments.results)
    if costs.is_empty():
        raise NounflowError("No job has left a benchmark file", where=arguments.results, fix="run the workflow first")
    shown = costs.drop("host", "device") if arguments.jobs else by_rule(costs)
    show("jobs" if arguments.jobs else "rules", shown.to_dicts())
