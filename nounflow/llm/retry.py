"""A call that is made again until it succeeds, within bounds."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nounflow.config.llm import LLMConfig
from nounflow.llm.faults import Fault
from nounflow.llm.pace import Pace

T = TypeVar("T")


def passing(fault: Fault) -> bool:
    """Whether another try may help."""
    return fault.kind == "retry"


async def retry(
    config: LLMConfig,
    pace: Pace,
    call: Callable[[], Awaitable[T | Fault]],
    again: Callable[[Fault], bool] = passing,
) -> T | Fault:
    """Call until there is a value, a fault that is not to be tried `again`, or `max_attempts` of them.

    Raises:
        RunStoppedError: the deadline comes first, or the server asks to wait for too long.
    """
    failures = 0
    while True:
        await pace.may_send()
        sent_at = pace.now()
        result = await call()
        if not isinstance(result, Fault):
            return result
        if result.kind == "throttled":
            pace.throttled(sent_at, result.wait_s, result.detail)
            continue
        failures += 1
        if not again(result) or failures >= config.max_attempts:
            return result
        wait = max(pace.backoff(failures - 1), result.wait_s or 0.0)
        await pace.sleep(min(wait, config.max_wait_s))
