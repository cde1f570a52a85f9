"""The whole workflow on a real SLURM, by `profiles/slurm`: the same scores as on this machine.

Not part of `make test`. Where a SLURM answers: python -m pytest -m slurm
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROFILE = Path(__file__).parents[1] / "profiles/slurm/config.yaml"
TIMES = ("ms_per_image",)


def test_the_profile_limits_no_gpus_and_asks_for_no_cores():
    profile = yaml.safe_load(PROFILE.read_text())
    assert profile["executor"] == "slurm"
    assert "resources" not in profile  # a limit of gpu=1 would send one GPU job at a time
    assert "cores" not in profile
    assert profile["slurm-status-command"] == "squeue"


def scores(folder):
    with (folder / "results/scores.tsv").open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


@pytest.mark.slurm
def test_slurm_gives_the_scores_that_this_machine_gives(project):
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("no SLURM answers here")
    here = scores(project.folder)
    for path in (project.folder / "results").iterdir():
        if path.name != "inputs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", "results/scores.tsv",
               "--configfile", "tiny.yaml", "--slurm-init-seconds-before-status-checks", "1",
               "--seconds-between-status-checks", "1"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "has been submitted with SLURM jobid" in done.stdout + done.stderr
    assert scores(project.folder) == here
