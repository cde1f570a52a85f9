"""The whole workflow on a real SLURM, by `profiles/slurm`: the same scores as on this machine.

Not part of `make test`; `make test-slurm` runs it where a SLURM of one node answers, which is this machine and has four
CPUs or more, since small jobs travel in groups.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
import yaml
from tiny_workflow import Project, digests

PROFILE = Path(__file__).parents[1] / "profiles/slurm/config.yaml"
TIMES = ("ms_per_image",)


def test_the_profile_limits_no_gpus_and_asks_for_no_cores() -> None:
    profile = yaml.safe_load(PROFILE.read_text())
    assert profile["executor"] == "slurm"
    assert "resources" not in profile  # a limit of gpu=1 would send one GPU job at a time
    assert "cores" not in profile
    assert profile["slurm-status-command"] == "squeue"
    assert profile["slurm-requeue"] is True


def rule_bodies(repository: Path) -> dict[str, str]:
    """Rule -> its text; the training rules, one for each kind of predictor, as one."""
    texts = "\n".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    texts = texts.replace("    rule:\n        name:\n            kind.rule\n", "rule train_model:\n")
    parts = re.split(r"^rule (\w+):\n", texts, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_jobs_that_travel_in_groups_are_small_and_need_no_gpu(repository: Path) -> None:
    bodies = rule_bodies(repository)
    for entry in yaml.safe_load(PROFILE.read_text())["groups"]:
        body = bodies[entry.split("=")[0]]
        assert int(re.findall(r"runtime=(\d+)", body)[0]) <= 30
        assert "gpu=" not in body


def test_rules_that_compute_on_the_device_ask_for_one_gpu_each_and_no_others_do(repository: Path) -> None:
    bodies = rule_bodies(repository)
    on_device = {rule for rule, body in bodies.items() if "--device" in body}
    assert {"embed_texts", "embed_images", "train_model", "predict"} <= on_device
    assert {rule for rule, body in bodies.items() if "gpu=" in body} == on_device
    assert all(
        re.search(r"gpu=(GPU( if kind\.gpu else 0)?|lambda wildcards: GPU\s+\* \([^\n]+ == .context.\)),", bodies[rule])
        for rule in on_device
    )
    assert 'GPU = 0 if CONFIG.device == "cpu" else 1' in (repository / "rules/common.smk").read_text()


def scores(folder: Path) -> list[dict[str, str]]:
    with (folder / "results/scores.tsv").open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


@pytest.fixture
def cluster() -> Callable[..., str]:
    """Its commands; skips where no SLURM answers."""
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("no SLURM answers here")

    def call(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return call


def start(project: Project, target: str, output: IO[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", target,
               "--configfile", "tiny.yaml", "--slurm-init-seconds-before-status-checks", "1",
               "--seconds-between-status-checks", "1"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        command, cwd=project.folder, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
    )
    project.started.append(running)
    return running


def submit(project: Project, target: str) -> str:
    """Everything that Snakemake says; it must succeed."""
    said = project.folder / "said.txt"
    with said.open("w") as output:
        assert start(project, target, output).wait(timeout=1500) == 0, said.read_text()[-6000:]
    return said.read_text()


@pytest.mark.slurm
def test_slurm_gives_the_scores_that_this_machine_gives(cluster: Callable[..., str], project: Project) -> None:
    here = scores(project.folder)
    for path in (project.folder / "results").iterdir():
        if path.name != "inputs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = submit(project, "results/scores.tsv")
    assert scores(project.folder) == here
    jobs = {rule: job for job, rule in re.findall(r"SLURM jobid (\d+) \(log: \S*/rule_(\w+)/", said)}
    asked = {rule: cluster("scontrol", "show", "job", jobs[rule]) for rule in ("train_decoder", "predict", "annotate")}
    assert {rule for rule, text in asked.items() if re.search(r"TresPerJob=gres:gpu:1\b", text)} == {
        "train_decoder", "predict",
    }  # fmt: skip


def requeue(cluster: Callable[..., str], job: str) -> None:
    cluster("scontrol", "requeue", job)


def processes_of(job: str) -> Iterator[psutil.Process]:
    """Of a job, and SLURM's own that look after it; the node is this machine."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            mine = process.environ().get("SLURM_JOB_ID") == job
            if mine or (process.name().startswith("slurmstepd") and f"[{job}." in " ".join(process.cmdline())):
                yield process


def lose_node(cluster: Callable[..., str], job: str) -> None:
    """SLURM is told that the node is gone, all that ran there ends at once, and later the node is back."""
    node = cluster("squeue", "-h", "-j", job, "-o", "%N").strip()
    cluster("scontrol", "update", f"nodename={node}", "state=down", "reason=lost")
    limit = time.monotonic() + 60
    while lost := list(processes_of(job)):
        assert time.monotonic() < limit, lost
        for process in lost:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.2)
    while "down" in cluster("sinfo", "-h", "-n", node, "-o", "%T"):
        with contextlib.suppress(subprocess.CalledProcessError):  # refused where the node is back by itself
            cluster("scontrol", "update", f"nodename={node}", "state=resume")
        assert time.monotonic() < limit
        time.sleep(0.5)


@pytest.mark.slurm
@pytest.mark.parametrize("death", [requeue, lose_node])
def test_a_job_that_was_requeued_or_lost_its_node_ends_in_the_same_bytes(
    cluster: Callable[..., str], project: Project, finished: Project, death: Callable[[Callable[..., str], str], None]
) -> None:
    shutil.rmtree(project.folder / "results/models/tiny")
    log = project.folder / "results/logs/models/tiny.log"
    log.unlink()
    said = project.folder / "said.txt"
    with said.open("w") as output:
        running = start(project, "results/models/tiny/manifest.json", output)
        while not (log.exists() and "parameters" in log.read_text()):  # it trains
            assert running.poll() is None, said.read_text()[-6000:]
            time.sleep(0.1)
        job = re.findall(r"SLURM jobid (\d+)", said.read_text())[0]
        death(cluster, job)
        limit = time.monotonic() + 60
        while "PENDING" not in cluster("squeue", "-h", "-j", job, "-o", "%T"):
            assert time.monotonic() < limit, cluster("squeue")
            time.sleep(0.2)
        cluster("scontrol", "update", f"jobid={job}", "starttime=now")  # SLURM would let two minutes pass
        assert running.wait(timeout=400) == 0, said.read_text()[-6000:]
    assert digests(project.folder / "results") == digests(finished.folder / "results")
