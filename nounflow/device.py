"""What to compute with: device and number format. Each choice is told once, with its reason.

Nothing here changes the process; that is for scripts and commands (`nounflow.process`).
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from nounflow.errors import NounflowError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]
Value = TypeVar("Value")

# Instruction sets that multiply bf16 matrices, as torch names them (x86: AVX-512, AMX; ARM: v8.6, SVE).
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
_MISSING = {
    "cuda": "write `device: auto` in the config, or check the driver with nvidia-smi",
    "mps": "write `device: auto` in the config; mps is for Macs with Apple silicon",
}


def settle_device(device: str) -> str:
    """Settle "auto" to "cuda", "mps" or "cpu": what torch has, in this order.

    Raises:
        NounflowError: another device is asked for than there is.
    """
    import torch

    there: dict[str, Callable[[], bool]] = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device == "auto":
        device = next((name for name, found in there.items() if found()), "cpu")
        _tell(f"device: {device} (auto: {'no GPU was found' if device == 'cpu' else 'a GPU was found'})")
    elif device != "cpu" and device not in there:
        raise NounflowError(
            f"Unknown device '{device}', allowed: auto, cpu, {', '.join(there)}",
            fix="change `device`; CUDA_VISIBLE_DEVICES says which GPU",
        )
    elif device != "cpu" and not there[device]():
        raise NounflowError(f"The device '{device}' was asked for, but torch finds no GPU", fix=_MISSING[device])
    return device


def by_device(device: str, cpu: Value, gpu: Value) -> Value:
    """A figure that differs between processors and GPUs of any kind."""
    return cpu if device == "cpu" else gpu


def choose_precision(precision: PrecisionChoice, device: str, what: str) -> Precision:
    """Settle "auto" to bf16 where the hardware multiplies bf16 matrices, else fp32; `what` is named in the message.

    The rule asks for instructions and measures no speed: the answer changes the bytes of every embedding,
    so it must not depend on how busy the machine is.
    """
    if precision != "auto":
        return precision
    fast, reason = _bf16_hardware(device)
    chosen: Precision = "bf16" if fast else "fp32"
    _tell(f"{what}: {chosen} (auto: {reason})")
    return chosen


def autocast_dtype(precision: PrecisionChoice, device: str) -> torch.dtype | None:
    """The dtype to autocast to in training, or None for plain fp32."""
    import torch

    return torch.bfloat16 if choose_precision(precision, device, "training") == "bf16" else None


def on_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """A CPU tensor of any shape on the device; to CUDA from pinned memory, so that the host need not wait."""
    if device == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor if device == "cpu" else tensor.to(device)


def wait_for(device: str) -> None:
    """Return when the device has done what it was given."""
    if device != "cpu":
        import torch

        torch.accelerator.synchronize()


def free_memory(device: str) -> int | None:
    """Bytes that can still be had on the device; None where that cannot be found out.

    In a computer's own memory a control group's limit (SLURM, containers) counts too.
    """
    if device != "cpu":
        import torch

        if device == "mps":
            return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
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
    if device == "mps":
        found = torch.backends.mps.is_macos_or_newer(14, 0)
        return found, f"macOS {'has' if found else 'before 14 has no'} bf16 on its GPU"
    capabilities = torch.cpu.get_capabilities()
    for instruction in _BF16_INSTRUCTIONS:
        if capabilities.get(instruction):
            return True, f"the CPU has {instruction}"
    return False, "the CPU has no bf16 instructions"


@functools.cache
def _tell(line: str) -> None:
    logging.getLogger("nounflow").info(line)
