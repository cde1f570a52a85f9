"""Jobs that die in every way that can be had here: the rerun completes, to the bytes of an undisturbed run."""

from __future__ import annotations

import collections
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tiny_workflow import Project, StageWatch, digests

CGROUPS = Path("/sys/fs/cgroup/memory")
# By their scripts: one trains models of every kind.
STAGES = {"build_nouns", "compose_captions", "generate_captions", "embed_texts", "merge_caches", "train_model",
          "embed_images", "predict", "annotate", "score", "report"}  # fmt: skip


def forget_results(project: Project, keep: tuple[str, ...] = ("inputs",)) -> None:
    """As before the first run, with what was fetched."""
    for path in (project.folder / "results").iterdir():
        if path.name not in keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def leftovers(project: Project) -> list[str]:
    return [str(path) for path in (project.folder / "results").rglob(".*.partial")]


@pytest.mark.extra
def test_every_stage_dies_of_kill_9_then_of_sigterm_and_the_third_attempt_gives_the_same_bytes(
    project: Project, finished: Project
) -> None:
    forget_results(project)
    moment = random.Random(7)
    deaths: dict[str, list[Callable[[psutil.Process], None]]] = collections.defaultdict(list)
    ways = (StageWatch.kill, StageWatch.terminate)
    said = project.folder / "output.txt"
    with said.open("w") as file:
        running = project.start("--retries", "2", stdout=file)
    watch, due, seen = StageWatch(running), [], set()
    while running.poll() is None:
        for stage, process in watch.stages():
            # the first two processes of each stage, wherever they have got to by then
            if process not in seen and len(deaths[stage]) < len(ways):
                seen.add(process)
                way = ways[len(deaths[stage])]
                deaths[stage].append(way)
                due.append((time.monotonic() + moment.uniform(0.1, 2.5), way, process))
        for entry in [entry for entry in due if entry[0] <= time.monotonic()]:
            due.remove(entry)
            entry[1](entry[2])
        time.sleep(0.02)
    output = said.read_text()
    assert running.returncode == 0, output[-6000:]
    assert set(deaths) == STAGES
    assert "stopped by SIGTERM; nothing half-written was kept" in output
    assert digests(project.folder / "results") == digests(finished.folder / "results")


@pytest.mark.extra
def test_a_job_that_the_kernel_kills_for_its_memory_runs_again_with_more(project: Project, finished: Project) -> None:
    """A real control group, with less memory than training needs."""
    group = CGROUPS / f"nounflow_test_{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no memory control group can be made here")
    try:
        shutil.rmtree(project.folder / "results/models/tiny")
        (group / "memory.limit_in_bytes").write_text(str(400_000_000))
        command = (
            f"echo $$ > {group}/cgroup.procs; exec {sys.executable} -m snakemake results/models/tiny/manifest.json"
        )
        done = subprocess.run(
            ["bash", "-c", f"{command} --cores 1 --configfile tiny.yaml"], cwd=project.folder, capture_output=True,
            env={**os.environ, "PYTHONPATH": str(project.folder)}, text=True, check=False,
        )  # fmt: skip
    finally:
        group.rmdir()
    assert done.returncode != 0
    assert "Killed" in done.stderr, done.stderr[-3000:]
    assert not (project.folder / "results/models/tiny/manifest.json").exists()
    project.snakemake("results/models/tiny/manifest.json")
    assert digests(project.folder / "results") == digests(finished.folder / "results")


@pytest.mark.extra
def test_a_disk_that_is_full_in_the_middle_costs_only_the_jobs_that_found_it_full(
    project: Project, finished: Project
) -> None:
    """A real full disk: a tmpfs in a mount namespace of its own, enlarged for the second run."""
    forget_results(project, keep=("inputs", "image_embeddings"))
    results, kept = project.folder / "results", project.folder / "kept"
    results.rename(kept)
    results.mkdir()
    pages = sum(math.ceil(path.stat().st_size / 4096) for path in kept.rglob("*") if path.is_file())
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(results)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here, so no small disk can be mounted")
    snakemake = f"{sys.executable} -m snakemake results/models/tiny/manifest.json --cores 2 --configfile tiny.yaml"
    script = f"""
        mount -t tmpfs -o size={4 * pages + 700}k none results
        cp -a kept/. results/
        {snakemake} > first.txt 2>&1; echo $? > first.rc
        find results -name '.*.partial' > leftovers.txt
        mount -o remount,size=1g results
        {snakemake} > second.txt 2>&1; echo $? > second.rc
        cp -a results/. made/
    """
    subprocess.run(
        ["unshare", "-rm", "bash", "-c", script], cwd=project.folder, check=True,
        env={**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    said = {name: (project.folder / f"{name}.txt").read_text() for name in ("first", "second", "leftovers")}
    assert (project.folder / "first.rc").read_text() != "0\n", said["first"][-3000:]
    assert "No space left on" in said["first"]
    assert said["leftovers"] == ""
    assert (project.folder / "second.rc").read_text() == "0\n", said["second"][-3000:]
    assert "Building the lexicon" in said["first"]
    assert "Building the lexicon" not in said["second"]
    whole, made = digests(finished.folder / "results"), digests(project.folder / "made")
    assert {name: digest for name, digest in made.items() if whole[name] != digest} == {}
    assert "models/tiny/weights.safetensors" in made


@pytest.mark.extra
def test_a_second_snakemake_is_refused_and_after_kill_9_of_the_first_unlock_goes_on(
    project: Project, finished: Project
) -> None:
    """And the jobs that outlive their Snakemake do no harm to those of the next."""
    forget_results(project)
    target = "results/training_sets/bundled/tiny/m3_captions/manifest.json"
    with (project.folder / "output.txt").open("w") as file:
        first = project.start(target, stdout=file)
    watch = StageWatch(first)
    while not {stage for stage, _ in watch.stages()} & {"embed_texts"}:
        assert first.poll() is None
        time.sleep(0.05)
    refused = project.snakemake(target, check=False)
    assert refused.returncode != 0
    assert "locked" in refused.output
    assert "--unlock" in refused.output
    while not (orphans := [process for _, process in watch.stages()]):
        assert first.poll() is None
    first.kill()
    first.wait()
    assert any(process.is_running() for process in orphans)
    assert "--unlock" in project.snakemake(target, check=False).output
    project.snakemake(target, "--unlock")
    output = project.snakemake(target).output
    assert "Building the lexicon" not in output  # it was whole
    psutil.wait_procs(orphans, timeout=60)
    whole = digests(finished.folder / "results")
    made = digests(project.folder / "results")
    assert {name: digest for name, digest in made.items() if whole[name] != digest} == {}
    assert target.removeprefix("results/") in made
    assert leftovers(project) == []
