"""A budget that cannot be overrun: money is set aside before a request is sent."""

import asyncio

from nounflow.errors import NounflowError

_ROUNDING = 1e-9  # USD; sums of many small floats


class BudgetReachedError(NounflowError):
    """The next request might cost more than is left. Whatever was answered is in the ledger."""


class Budget:
    """What may still be spent, for the tasks of one event loop.

    `spent` is money that is gone or may be gone, `reserved` the worst case of the requests under way.
    """

    def __init__(self, limit_usd: float, spent_usd: float = 0.0) -> None:
        self.limit = limit_usd
        self.spent = spent_usd
        self.reserved = 0.0
        self._under_way = 0
        self._settled = asyncio.Condition()

    async def reserve(self, usd: float) -> None:
        """Set `usd` aside, waiting for requests under way when these might leave enough once settled.

        Raises:
            BudgetReachedError: it cannot be had.
        """
        async with self._settled:
            while self.left < usd:
                if self._under_way == 0:
                    raise self.reached(usd)
                await self._settled.wait()
            self.set_aside(usd)
            self._under_way += 1

    @property
    def left(self) -> float:
        """USD that may still be set aside."""
        return self.limit - self.spent - self.reserved + _ROUNDING

    def reached(self, usd: float) -> BudgetReachedError:
        """The error that says that `usd` more cannot be had."""
        return BudgetReachedError(
            f"The budget of {self.limit:,.4f} USD is reached: {self.spent:,.4f} USD are spent, and the "
            f"next request may cost {usd:,.6f} USD",
            where="`budget_usd` of the language model's settings",
            fix="raise it and run the same command again; what was answered is kept and not paid again",
        )

    async def settle(self, reserved_usd: float, charged_usd: float) -> None:
        """Give a reservation back and take what the request did cost."""
        async with self._settled:
            self._under_way -= 1
            self.release(reserved_usd, charged_usd)
            self._settled.notify_all()

    def set_aside(self, usd: float) -> None:
        """Set aside what is left for sure; nobody waits for it to be settled."""
        self.reserved += usd

    def release(self, reserved_usd: float, charged_usd: float) -> None:
        """The opposite, and take what it did cost."""
        self.reserved = max(self.reserved - reserved_usd, 0.0)
        self.spent += charged_usd

    def adopt(self, usd: float) -> None:
        """Count `usd` of what is spent as set aside: an earlier run did so, and it is still under way."""
        self.spent -= usd
        self.set_aside(usd)
