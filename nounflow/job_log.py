"""The first and last words of a job's log: where it runs, with what, how it was called; what it took."""

import contextlib
import os
import platform
import re
import resource
import shlex
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nounflow.version import nounflow_version

RULE_VARIABLE = "NOUNFLOW_RULE"  # set where several rules have one script
CONFIG_VARIABLE = "NOUNFLOW_CONFIG_DIGEST"  # digest of the whole config, set by the workflow
_PACKAGES = (
    "torch",
    "numpy",
    "polars",
    "pyarrow",
    "zarr",
    "transformers",
    "open_clip_torch",
)  # they shape bytes
_COMMAND_SHOWN = 6000  # characters; thousands of shards make it long
_FIELD = re.compile(r"^# (\w+): (.*)$", flags=re.MULTILINE)
_GPU_MEMORY = re.compile(r"^done in .*, ([\d,]+) MB on the GPU", flags=re.MULTILINE)


def header(device: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The first lines of a log, `# name: value` each.

    Args:
        device: what was asked for; None for a stage that computes on the CPU only.
    """
    rule = environment.get(RULE_VARIABLE)
    fields = {
        **({"rule": rule} if rule else {}),
        "host": f"{platform.node()}, {platform.machine()}, {os.cpu_count()} CPUs{_job(environment)}",
        "device": _device(device, environment),
        "versions": ", ".join(
            [
                f"Python {platform.python_version()}",
                f"nounflow {nounflow_version()}",
                *filter(None, map(_version, _PACKAGES)),
            ]
        ),
        "config": environment.get(CONFIG_VARIABLE, "none, called by hand"),
        "started": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "process": f"{os.getpid()} on {platform.node()}",
        "command": _shortened(shlex.join(["python", *sys.argv])),
    }
    return "\n".join(f"# {name}: {value}" for name, value in fields.items())


def footer(seconds: float) -> str:
    """The last line of a log: time, and the most memory that was held."""
    line = f"done in {seconds:.1f} s, {_peak_kib() * 1024 / 1e6:,.0f} MB of memory"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        line += f", {torch.cuda.max_memory_reserved() / 1e6:,.0f} MB on the GPU {torch.cuda.get_device_name()}"
    return line


def _peak_kib() -> int:
    """The most memory of this process. Linux's `ru_maxrss` would start at that of the process that started this one."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), flags=re.MULTILINE)
        if found:
            return int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def read_log(path: Path) -> dict[str, Any]:
    """Header fields of a log, `rule` (the script's name) and `gpu_mb`; what is not there is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    fields: dict[str, Any] = dict(_FIELD.findall(text))
    script = re.search(r"(\w+)\.py", fields.get("command", ""))
    if script:
        fields.setdefault("rule", script[1])
    if gpu := _GPU_MEMORY.search(text):
        fields["gpu_mb"] = float(gpu[1].replace(",", ""))
    return fields


def _shortened(command: str) -> str:
    if len(command) <= _COMMAND_SHOWN:
        return command
    return f"{command[:_COMMAND_SHOWN]} ... ({len(command):,} characters)"


def _job(environment: Mapping[str, str]) -> str:
    return f", SLURM job {environment['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in environment else ""


def _device(device: str | None, environment: Mapping[str, str]) -> str:
    if device is None or device == "cpu":
        return "cpu"
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    return f"{device} asked for, CUDA_VISIBLE_DEVICES {'unset' if visible is None else visible or 'empty'}"


def _version(package: str) -> str | None:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return None
