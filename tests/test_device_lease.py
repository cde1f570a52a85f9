"""GPUs are shared out among processes; the devices here are only names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nounflow.device_lease import lease_device

HOLD = """
import os, sys
from nounflow.device_lease import lease_device
print(lease_device(os.environ, 0), os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes that take a device and hold it until their input ends."""
    running = []

    def start(devices: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": devices, "TMPDIR": str(tmp_path)}
        for name in ("SLURM_JOB_ID", "LOCAL_RANK"):
            environment.pop(name, None)
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def said_first(process: subprocess.Popen[str]) -> list[str]:
    """The words of the next line on its stdout."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_four_jobs_at_once_get_four_devices_and_a_fifth_waits_for_one_that_dies(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    holders = [start("4,5,6,7") for _ in range(4)]
    taken = [said_first(process) for process in holders]
    assert sorted(name for name, _ in taken) == ["4", "5", "6", "7"]
    assert all(name == visible for name, visible in taken)
    waiting = start("4,5,6,7")
    time.sleep(0.5)
    assert waiting.poll() is None
    holders[2].kill()
    assert said_first(waiting)[0] == taken[2][0]


@pytest.mark.parametrize(
    "environment",
    [
        {"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_ID": "7"},
        {"CUDA_VISIBLE_DEVICES": "0,1", "LOCAL_RANK": "1"},
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": ""},
        {},
    ],
)
def test_nothing_is_taken_where_there_is_no_choice_or_somebody_else_assigns(environment: dict[str, Any]) -> None:
    before = dict(environment)
    assert lease_device(environment, devices=1) is None
    assert environment == before
