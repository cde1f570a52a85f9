"""Settings of the whole process, made by scripts and commands before they compute; never by the library."""

import contextlib
import ctypes
import os
import sys

from nounflow.device import settle_device
from nounflow.device_lease import lease_device

_MOST_THREADS = 1024  # OpenMP ends the process where it cannot start all


def prepare_process(device: str, threads: int) -> str:
    """Set torch's CPU threads, take one of several GPUs, and settle the device (see `settle_device`)."""
    import torch

    torch.set_num_threads(min(threads, _MOST_THREADS))
    _keep_freed_memory()
    if device in ("auto", "cuda") and (leased := lease_device(os.environ, torch.cuda.device_count())):
        print(f"GPU {leased}: the first that no other process of nounflow uses", flush=True)
    return settle_device(device)


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed, for the next step's tensors.

    By default it hands large blocks back to the kernel, which has to zero them again: a quarter of training time.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL("libc.so.6").mallopt
            for option, value in ((-3, 32 << 20), (-1, 1 << 30), (-2, 64 << 20)):  # mmap and trim threshold, top pad
                mallopt(option, value)
