"""One GPU for each process of a machine: a lock file a device.

Snakemake counts GPUs (`--resources gpu=4` runs four jobs at once) but does not assign them, so all four would use the
first. A process takes the first device that no other holds; the system frees it however the process ends.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

_LOOK_AGAIN_S = 0.2
_SILENT_S = 5.0
_held: FileLock | None = None  # for the life of the process


def lease_device(environment: MutableMapping[str, str], devices: int) -> str | None:
    """Take one of several GPUs and narrow CUDA_VISIBLE_DEVICES to it; waits while all are taken.

    Call it before CUDA is initialised. Does nothing, and returns None, where there is nothing to choose, or where
    somebody else assigns: SLURM, torchrun, or a lease that stands.

    Args:
        environment: os.environ.
        devices: GPUs of the machine, used where CUDA_VISIBLE_DEVICES is unset.
    """
    global _held
    choices = _visible(environment, devices)
    if _held is not None or len(choices) < 2 or "SLURM_JOB_ID" in environment or "LOCAL_RANK" in environment:
        return None
    _held = _first_free(choices, _lock_folder())
    device = Path(_held.lock_file).stem
    environment["CUDA_VISIBLE_DEVICES"] = device
    return device


def _visible(environment: Mapping[str, str], devices: int) -> list[str]:
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(device) for device in range(devices)]
    return [device for device in named.split(",") if device]


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"nounflow-devices-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _first_free(devices: Sequence[str], folder: Path) -> FileLock:
    locks = [FileLock(folder / f"{device.strip()}.lock") for device in devices]
    start, said = time.monotonic(), False
    while True:
        for lock in locks:
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                return lock
        if not said and time.monotonic() - start > _SILENT_S:
            print(f"waiting for one of {len(devices)} GPUs; the locks are in {folder}", flush=True)
            said = True
        time.sleep(_LOOK_AGAIN_S)
