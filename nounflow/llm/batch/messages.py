"""What is said of batches: lines on stderr while they are under way, and errors that end a run."""

import sys
import time

from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.http import Remote
from nounflow.llm.batch.rows import Batch
from nounflow.llm.faults import Fault
from nounflow.llm.pace import AGAIN, RunStoppedError, refused

_SAY_S = 60.0  # between two lines about a batch that has not changed


def say(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr, flush=True)


def name_of(batch: Batch) -> str:
    """A batch in words: its numbers here and at the server, and its state."""
    return f"batch {batch.number} ({batch.remote_id or 'no id yet'}, {batch.state})"


class BatchNews:
    """Says how batches stand, when something has changed and now and then."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[str, float]] = {}  # what was last said of a batch, and when

    def say(self, batch: Batch, remote: Remote) -> None:
        """Print how a batch stands, if it is time to."""
        text = name_of(batch) + (f", {remote.completed:,} of {remote.total:,} answered" if remote.total else "")
        known, at = self._said.get(batch.number, ("", 0.0))
        if text != known or time.monotonic() - at >= _SAY_S:
            self._said[batch.number] = text, time.monotonic()
            say(text)

    def last(self, batch: Batch) -> str:
        """What was last said of a batch, else its name."""
        return self._said.get(batch.number, (name_of(batch), 0.0))[0]


def lost(config: LLMConfig, batch: Batch, fault: Fault) -> RunStoppedError:
    """The error for a batch that the server does not know."""
    return RunStoppedError(
        f"The server does not know {name_of(batch)}: {fault.detail}",
        where=config.base_url,
        fix="use the key that it was created with; if it is gone for good, its requests are asked again once it is "
        "older than `max_wait_s` of `batch`",
    )


def impossible(config: LLMConfig, what: str, fault: Fault) -> RunStoppedError:
    """The error for a call that does not succeed; `what`: the sentence that says so."""
    if fault.kind == "stop" and fault.status not in (404, 405):
        return refused(config, fault.detail)
    no_batches = "use `mode: chat` if the server has no Batch API; else " if fault.status in (404, 405) else ""
    return RunStoppedError(f"{what}: {fault.detail}", where=config.base_url, fix=no_batches + AGAIN)
