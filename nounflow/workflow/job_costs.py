"""What jobs cost: the files of all `benchmark:` directives and the jobs' logs, gathered into one table."""

import csv
from pathlib import Path
from typing import Any

import polars as pl

from nounflow.job_log import read_log
from nounflow.spreadsheets import write_sheet

TABLE = "all_jobs.tsv"  # in results/benchmarks/
SCHEMA = {
    "rule": pl.String,
    "job": pl.String,  # path of its benchmark file, which is that of its log too
    "seconds": pl.Float64,
    "cpu_seconds": pl.Float64,
    "memory_mb": pl.Float64,  # largest resident set, its children's included
    "gpu_mb": pl.Float64,  # most that torch held on a GPU; null where there was none
    "host": pl.String,
    "device": pl.String,
}


def job_costs(results: Path) -> pl.DataFrame:
    """A row for each job that has a benchmark file, in the order of paths; columns as in `SCHEMA`.

    A job too short to be sampled has null for memory and processor time.
    """
    folder = results / "benchmarks"
    rows = [
        _row(path, path.relative_to(folder).with_suffix(""), results / "logs")
        for path in sorted(folder.rglob("*.tsv"))
        if path != folder / TABLE
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def by_rule(costs: pl.DataFrame) -> pl.DataFrame:
    """A row for each rule, the dearest first: jobs, sums of seconds, the longest job, the most memory."""
    return (
        costs.group_by("rule")
        .agg(
            jobs=pl.len(),
            seconds=pl.sum("seconds"),
            longest_s=pl.max("seconds"),
            cpu_seconds=pl.sum("cpu_seconds"),
            memory_mb=pl.max("memory_mb"),
            gpu_mb=pl.max("gpu_mb"),
        )
        .sort(["seconds", "rule"], descending=[True, False])
    )


def write_job_costs(results: Path) -> Path:
    """Write the table of all jobs beside their benchmark files."""
    path = results / "benchmarks" / TABLE
    costs = job_costs(results)
    write_sheet(path, costs.columns, costs.iter_rows(), digits=".2f")
    return path


def _row(path: Path, job: Path, logs: Path) -> dict[str, Any]:
    with path.open(newline="") as file:
        measured = next(csv.DictReader(file, delimiter="\t"), {})
    log = read_log(logs / job.with_name(job.name + ".log"))
    return {
        "rule": log.get("rule", job.parts[0]),
        "job": job.as_posix(),
        "seconds": _number(measured.get("s")),
        "cpu_seconds": _number(measured.get("cpu_time")),
        "memory_mb": _number(measured.get("max_rss")),
        "gpu_mb": log.get("gpu_mb"),
        "host": log.get("host"),
        "device": log.get("device"),
    }


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:  # "NA", "-": the job was over before the first sample
        return None
