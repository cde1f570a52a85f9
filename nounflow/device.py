"""Where and how exactly to compute: device, threads, number format. Each choice is printed once, with its reason."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nounflow.device_lease import lease_device
from nounflow.errors import NounflowError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]

# Instruction sets that multiply bf16 matrices, as torch names them (x86: AVX-512, AMX; ARM: v8.6, SVE).
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def prepare_device(device: str, threads: int) -> str:
    """Set torch's CPU threads and settle "auto", "cpu" or "cuda" to "cpu" or "cuda".

    Raises:
        NounflowError: cuda is asked for, and there is none.
    """
    import torch

    torch.set_num_threads(threads)
    _keep_freed_memory()
    if device in ("auto", "cuda") and (leased := lease_device(os.environ, torch.cuda.device_count())):
        _say(f"GPU {leased}: the first that no other process of nounflow uses")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        _say(f"device: {device} (auto: {'a GPU was found' if device == 'cuda' else 'no GPU was found'})")
    elif device not in ("cpu", "cuda"):
        raise NounflowError(f"Unknown device '{device}', allowed: auto, cpu, cuda", fix="change `device` in the config")
    elif device == "cuda" and not torch.cuda.is_available():
        raise NounflowError(
            "The device 'cuda' was asked for, but torch finds no GPU",
            fix="write `device: auto` in the config, or check the driver with nvidia-smi",
        )
    return device


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed, for the next step's tensors.

    By default it hands large blocks back to the kernel, which has to zero them again: a quarter of training time.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL("libc.so.6").mallopt
            for option, value in ((-3, 32 << 20), (-1, 1 << 30), (-2, 64 << 20)):  # mmap and trim threshold, top pad
                mallopt(option, value)


def choose_precision(precision: PrecisionChoice, device: str, what: str) -> Precision:
    """Settle "auto" to bf16 where the hardware multiplies bf16 matrices, else fp32; `what` is named in the message.

    The rule asks for instructions and measures no speed: the answer changes the bytes of every embedding,
    so it must not depend on how busy the machine is.
    """
    if precision != "auto":
        return precision
    fast, reason = _bf16_hardware(device)
    chosen: Precision = "bf16" if fast else "fp32"
    _say(f"{what}: {chosen} (auto: {reason})")
    return chosen


def autocast_dtype(precision: PrecisionChoice, device: str) -> torch.dtype | None:
    """The dtype to autocast to in training, or None for plain fp32."""
    import torch

    return torch.bfloat16 if choose_precision(precision, device, "training") == "bf16" else None


def on_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """On the device, from pinned memory, so that the copy does not hold up the host."""
    return tensor if device == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def free_memory(device: str) -> int | None:
    """Bytes that can still be had on the device; None where that cannot be found out.

    In a computer's own memory a control group's limit (SLURM, containers) counts too.
    """
    if device != "cpu":
        import torch

        return torch.cuda.mem_get_info()[0]
    found = []
    with contextlib.suppress(OSError):
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    return min(found + _left_in_control_groups(), default=None)


def _left_in_control_groups() -> list[int]:
    """What the limits of this process's control groups (version 2) leave; a group without a limit is left out."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = Path(next(line for line in lines if line.startswith("0::")).removeprefix("0::/"))
        left = []
        for group in (own, *own.parents):
            folder = Path("/sys/fs/cgroup") / group
            with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
                stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                held = int((folder / "memory.current").read_text()) - int(stat["inactive_file"])  # page cache can go
                left.append(int((folder / "memory.max").read_text()) - held)
        return left
    return []


def _bf16_hardware(device: str) -> tuple[bool, str]:
    import torch

    if device == "cuda":
        name = torch.cuda.get_device_name()
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return True, f"{name} has bf16"
        return False, f"{name} has no bf16"
    capabilities = torch.cpu.get_capabilities()
    for instruction in _BF16_INSTRUCTIONS:
        if capabilities.get(instruction):
            return True, f"the CPU has {instruction}"
    return False, "the CPU has no bf16 instructions"


@functools.cache
def _say(line: str) -> None:
    print(line, flush=True)
