"""What Snakemake itself takes: a dry run of a finished default workflow, and the time around each of its jobs.

The default workflow's jobs, one after the other, with less work in each (fewer texts, short training), from nothing
but the fetched inputs. What is left of the wall time, less a dry run's time for the start, is Snakemake's, by job.
Then the recipe novic_ft0 with DFN-5B, its texts in thousands of shards, as a dry run from nothing.

    python benchmarks/workflow_overhead.py --work DIR [--rounds 3] [--shards 2000 ...]
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import yaml

from nounflow.workflow.job_costs import job_costs

REPOSITORY = Path(__file__).resolve().parents[1]
CODE = ("Snakefile", "rules", "workflow_scripts", "nounflow", "config", "resources", "profiles", "docs/report")
SHORT = {"samples": 2048, "evaluations": 2}


def lay_out(folder: Path) -> None:
    """This code, its fetched inputs, and a config with less work in the same jobs."""
    folder.mkdir(parents=True)
    for name in CODE:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    shutil.copy2(REPOSITORY / "environment.yml", folder)
    shutil.copytree(REPOSITORY / "results/inputs", folder / "results/inputs")
    runs = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))["runs"]
    less = {
        "captions": {"multiset": {"texts_per_noun": [2, 2, 2]}, "offline": {"captions_per_noun": 1}},
        "runs": {name: {"training": SHORT} for name, run in runs.items() if run.get("predictor") != "retrieval"},
    }
    (folder / "less.yaml").write_text(yaml.safe_dump(less), encoding="utf-8")


def seconds_of(folder: Path, *options: str) -> float:
    """Wall seconds of a Snakemake call that must succeed."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options, "--configfile", "less.yaml"]
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit((done.stdout + done.stderr)[-4000:])
    if "--dry-run" in options:
        assert "Nothing to be done" in done.stdout + done.stderr
    return time.monotonic() - start


def dag(folder: Path, shards: int) -> tuple[int, float, float]:
    """(jobs, seconds, MB at most) of a dry run of the published recipe with so many shards."""
    part = shards // 10
    parts = {"multiset": {"shards": [3 * part, 3 * part, 3 * part]}, "llm": {"shards": part}}
    (folder / "many.yaml").write_text(yaml.safe_dump({"captions": parts}), encoding="utf-8")
    target = "results/models/novic_ft0_dfn5b/manifest.json"
    command = [
        sys.executable,
        "-m",
        "snakemake",
        target,
        "--dry-run",
        "--quiet",
        "rules",
        "--cores",
        "1",
        "--configfile",
        "config/recipes/novic_ft0.yaml",
        "many.yaml",
    ]
    start, said = time.monotonic(), folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(said.read_text()[-4000:])
    jobs = int(re.search(r"^total +(\d+)$", said.read_text(), flags=re.MULTILINE)[1])
    return jobs, time.monotonic() - start, usage.ru_maxrss * 1024 / 1e6


def main(work: Path, rounds: int, shards: list[int]) -> None:
    """See the module."""
    lay_out(work)
    wall = seconds_of(work)
    dry = [seconds_of(work, "--dry-run") for _ in range(rounds)]
    costs = job_costs(work / "results")
    jobs, busy = len(costs), costs["seconds"].sum()
    start = statistics.median(dry)
    print("| what | figure |\n|---|---|")
    print(f"| `snakemake -n` of the finished workflow, median of {rounds}, s | {start:.2f} |")
    print(f"| jobs | {jobs} |\n| wall time of the run, s | {wall:.1f} |\n| of it in jobs, s | {busy:.1f} |")
    print(f"| of it the start (as of a dry run), s | {start:.1f} |")
    print(f"| left for Snakemake, s a job | {(wall - busy - start) / jobs:.2f} |")
    for number in shards:
        found, seconds, megabytes = dag(work, number)
        print(
            f"| novic_ft0, DFN-5B, {number:,} shards: dry run, {found:,} jobs | {seconds:.1f} s, {megabytes:,.0f} MB |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a new folder")
    parser.add_argument("--rounds", type=int, default=3, help="dry runs")
    parser.add_argument("--shards", type=int, nargs="*", default=[2000], help="of the published recipe")
    main(**vars(parser.parse_args()))
