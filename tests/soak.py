"""Kills random jobs of the tiny workflow for some minutes and compares what it leaves with an undisturbed run.

Slow, so no part of `make test`. From the project's folder:

    python tests/soak.py --minutes 10 --work DIR

Each round starts from nothing but WordNet. Every few seconds something dies: mostly a job by kill -9, now and then a
job by SIGTERM (shell, stage and `tee` together), now and then Snakemake itself by kill -9, whose jobs live on beside
those of the next Snakemake. The same command is given again until it succeeds; then all digests must agree.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import random
import shutil
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tiny_workflow import Project, StageWatch, build, digests

REPOSITORY = Path(__file__).resolve().parents[1]


class Round:
    """One run of the workflow from nothing to the end, with deaths on the way."""

    def __init__(
        self, project: Project, chance: random.Random, mean_s: float, deaths: collections.Counter[tuple[str, str]]
    ) -> None:
        self.project, self.chance, self.mean_s, self.deaths = project, chance, mean_s, deaths
        self.starts = 0

    def run(self, deadline: float) -> None:
        """Until Snakemake succeeds; nothing is killed after the deadline."""
        while True:
            self.starts += 1
            output = self.project.folder / "output.txt"
            with output.open("w") as file:
                running = self.project.start("--quiet", "all", stdout=file)
            due = self._next()
            watch = StageWatch(running)
            while running.poll() is None:
                now = time.monotonic()
                if due <= now < deadline:
                    self._strike(watch)
                    due = self._next()
                time.sleep(0.05)
            if running.returncode == 0:
                return
            if time.monotonic() > deadline + 600:
                raise SystemExit(f"does not come to an end:\n{output.read_text()[-4000:]}")
            self.project.snakemake("--unlock")  # needed after kill -9 of Snakemake, harmless else

    def _next(self) -> float:
        return time.monotonic() + self.chance.expovariate(1 / self.mean_s)

    def _strike(self, watch: StageWatch) -> None:
        stages = list(watch.stages())
        if not stages:
            return
        stage, process = self.chance.choice(stages)
        way = self.chance.choices(["kill -9", "SIGTERM", "kill -9 of Snakemake"], [6, 3, 1])[0]
        if way == "kill -9":
            watch.kill(process)
        elif way == "SIGTERM":
            watch.terminate(process)
        else:
            stage = "snakemake"
            watch.kill(watch.snakemake)
        self.deaths[stage, way] += 1


def wait_for_orphans(folder: Path) -> None:
    """Jobs that have outlived their Snakemake still write."""
    orphans = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == folder:
                orphans.append(process)
    psutil.wait_procs(orphans, timeout=300)


def main(minutes: float, work: Path, wordnet: Path, mean_s: float, seed: int) -> None:
    """See the module."""
    work = work.resolve()
    whole = build(work / "whole", REPOSITORY, wordnet)
    whole.snakemake("--quiet", "all")
    expected = digests(whole.folder / "results")
    print(f"undisturbed run: {len(expected)} files", flush=True)
    start, chance, rounds = time.monotonic(), random.Random(seed), 0
    deaths: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong: list[str] = []
    deadline = start + 60 * minutes
    while time.monotonic() < deadline:
        project = build(work / f"round{rounds}", REPOSITORY, wordnet)
        before = deaths.total()
        disturbed = Round(project, chance, mean_s, deaths)
        disturbed.run(deadline)
        wait_for_orphans(project.folder)
        found = digests(project.folder / "results")
        different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        wrong += different
        print(f"round {rounds}: {deaths.total() - before} deaths, {disturbed.starts} starts of Snakemake, "
              f"{time.monotonic() - start:.0f} s, different files: {different or 'none'}", flush=True)  # fmt: skip
        if not different:
            shutil.rmtree(project.folder)
        rounds += 1
    for (stage, way), n in sorted(deaths.items()):
        print(f"{stage}\t{way}\t{n}")
    print(f"{rounds} rounds, {deaths.total()} deaths in {(time.monotonic() - start) / 60:.1f} minutes, "
          f"{len(wrong)} different files")  # fmt: skip
    sys.exit(bool(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--work", type=Path, required=True, help="a new folder for the runs")
    parser.add_argument("--wordnet", type=Path, default=REPOSITORY / "results/inputs/wordnet", help="a fetched WordNet")
    parser.add_argument("--mean-s", type=float, default=8.0, help="mean time between deaths, seconds")
    parser.add_argument("--seed", type=int, default=1)
    main(**vars(parser.parse_args()))
