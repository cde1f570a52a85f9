"""On what the jobs of a workflow will compute, as far as it can be told without loading torch."""

import os
import platform
import shutil
from pathlib import Path


def computes_on(device: str) -> str:
    """ "cpu", "gpu" or "auto": what decides about the last bits of results, so that a change of it is one to rerun for.

    `auto` on a machine without a GPU is `cpu`, unless jobs may go to other machines.
    """
    if device != "auto":
        return "cpu" if device == "cpu" else "gpu"
    if shutil.which("sbatch"):
        return "auto"
    return "gpu" if _has_gpu() else "cpu"


def _has_gpu() -> bool:
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return not hidden and any(
        (*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("kfd"), *Path("/dev").glob("dxg"))
    )
