"""How the lines of a batch end: written to the ledger, settled with the budget."""

from collections.abc import Iterable
from dataclasses import dataclass

from nounflow.config.llm import LLMConfig
from nounflow.llm.batch.files import Result
from nounflow.llm.batch.rows import Batch, BatchRows
from nounflow.llm.budget import Budget
from nounflow.llm.faults import Fault
from nounflow.llm.outcomes import ending_of
from nounflow.llm.prices import price_of
from nounflow.llm.records import Ending


@dataclass(slots=True)
class LineEnd:
    """How a line ended; it is in the ledger."""

    key: str
    sending: int  # its number in the ledger
    ending: Ending
    fault: Fault | None


class Settling:
    """Ends lines and batches."""

    def __init__(self, config: LLMConfig, rows: BatchRows, budget: Budget) -> None:
        self._rows, self._budget = rows, budget
        self._price = price_of(config)

    async def end(
        self, batch: Batch, results: Iterable[Result], pending: dict[str, tuple[int, float]]
    ) -> list[LineEnd]:
        """Write results; lines that nobody asked for, or that come twice, are left out.

        Args:
            pending: sending and worst cost by key, of the lines without an ending; those that end now are removed.
        """
        ends, reserved = list[LineEnd](), 0.0
        for result in results:
            if (line := pending.pop(result.key, None)) is not None:
                sending, worst = line
                ends.append(LineEnd(result.key, sending, *ending_of(result.body, self._price, worst)))
                reserved += worst
        await self._rows.end([(end.sending, end.ending) for end in ends])
        self._release(batch, reserved, ends)
        return ends

    async def close(self, batch: Batch, state: str, fault: Fault) -> list[LineEnd]:
        """End the lines that are left with a fault, and the batch."""
        ends = [
            LineEnd(key, sending, *ending_of(fault, self._price, worst))
            for key, (sending, worst) in self._rows.lines(batch).items()
        ]
        await self._rows.close(batch, state, [(end.sending, end.ending) for end in ends], fault.detail if ends else "")
        self._release(batch, batch.worst_usd, ends)
        return ends

    def _release(self, batch: Batch, reserved: float, ends: list[LineEnd]) -> None:
        self._budget.release(reserved, sum(end.ending.charged_usd for end in ends))
        batch.worst_usd -= reserved
