"""Progress of long work: a bar on a terminal, a line now and then in a log; and counts, as a log shows them."""

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tqdm import tqdm

_LINE_SECONDS = 10.0


class Progress:
    """Counts towards a total. `with Progress("embedding", 5000, "texts") as progress: progress.advance(64)`."""

    def __init__(self, label: str, total: int, unit: str, done: int = 0, quiet: bool = False) -> None:
        """
        Args:
            done: what an earlier process has done; it counts towards the total, not for the speed.
            quiet: say nothing.
        """
        self.label, self.total, self.unit = label, total, unit
        self.done, self._before, self._quiet = done, done, quiet
        self.start = time.monotonic()
        self._last_line = self.start
        bar = sys.stderr.isatty() and not quiet
        self._bar = tqdm(total=total, initial=done, desc=label, unit=f" {unit}") if bar else None

    def advance(self, n: int, note: str = "") -> None:
        """Count `n` more; `note` (a loss, say) stands behind the figures."""
        self.done += n
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(n)
        elif not self._quiet and (now := time.monotonic()) - self._last_line >= _LINE_SECONDS:
            self._last_line = now
            speed = (self.done - self._before) / max(now - self.start, 1e-9)
            left = (self.total - self.done) * (now - self.start) / max(self.done - self._before, 1)
            said = f"{self.done:,} of {self.total:,} {self.unit}, {speed:,.0f}/s, {left:.0f} s left"
            print(f"{self.label}: {said}{', ' + note if note else ''}", file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and not self._quiet:
            done, seconds = self.done - self._before, max(time.monotonic() - self.start, 1e-9)
            said = f"{done:,} {self.unit} in {seconds:.1f} s, {done / seconds:,.0f}/s"
            print(f"{self.label}: {said}", file=sys.stderr, flush=True)


def print_flows(flows: Iterable[Mapping[str, Any]]) -> None:
    """Print counts (see `nounflow.counts.Flow.as_dict`)."""
    for flow in flows:
        lines = [f"{flow['name']}: {flow['in']:,} {flow['unit']} in"]
        lines += [f"  - {n:,} dropped: {reason}" for reason, n in flow["dropped"].items()]
        lines += [f"  + {n:,} added: {reason}" for reason, n in flow["added"].items()]
        print("\n".join([*lines, f"  = {flow['out']:,} {flow['unit_out']} out"]), flush=True)
