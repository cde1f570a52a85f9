"""Axes of charts: from values to pixels, with round ticks and their texts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """From value to pixel along one side of a chart, with its ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round numbers that cover [low, high], at most `most` steps."""
    from matplotlib.ticker import MaxNLocator

    if high <= low:
        high = low + 1.0
    return tuple(round(float(tick), 12) for tick in MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(low, high))


def round_axis(values: Sequence[float], start: float, end: float, most: int) -> Axis:
    """An axis that ends at round ticks beyond the finite values."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    ticks = nice_ticks(min(finite), max(finite), most)
    return Axis(ticks[0], ticks[-1], start, end, ticks)


def tight_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis that ends where the values end, with the round ticks within it."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Axis(low, high, start, end, tuple(tick for tick in nice_ticks(low, high, 6) if low <= tick <= high))


def percent(value: float) -> str:
    """A fraction as percent, without needless decimals."""
    return f"{100 * value:.3g} %" if value else "0"


def number(value: float) -> str:
    """A plain or a thousands figure: 0.5, 12, 300k, 1.2M."""
    for scale, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:g}{suffix}"
    return f"{value:g}"
