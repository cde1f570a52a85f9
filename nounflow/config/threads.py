"""How many CPU threads `threads: auto` is."""

import os
from typing import Annotated, Any, Literal

import psutil
from pydantic import BeforeValidator, Field

MOST = 8  # models of this size gain little by more


def physical_cores() -> int:
    """Physical cores that this process may use, at most 8."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, usable, psutil.cpu_count(logical=False) or usable))


def _settled(threads: Any) -> Any:
    return physical_cores() if threads == "auto" else threads


Threads = Annotated[
    int, Field(ge=1), BeforeValidator(_settled, json_schema_input_type=Annotated[int, Field(ge=1)] | Literal["auto"])
]
