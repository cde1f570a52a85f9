"""Counts in, counts out: every stage says what it took, what it dropped and why, and it must tally."""

from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.progress import print_flows


class Flow:
    """One stream of things through a stage: so many in, so many dropped or added for a reason, so many out."""

    def __init__(self, name: str, n_in: int, unit: str) -> None:
        self.name, self.n_in, self.unit = name, int(n_in), unit
        self.dropped: dict[str, int] = {}
        self.added: dict[str, int] = {}
        self.n_out: int | None = None
        self.unit_out = unit

    def drop(self, n: int, reason: str) -> None:
        """Record that `n` things left the flow, and why."""
        if n:
            self.dropped[reason] = self.dropped.get(reason, 0) + int(n)

    def add(self, n: int, reason: str) -> None:
        """Record that `n` things joined the flow (forms generated, duplicates made ...), and why."""
        if n:
            self.added[reason] = self.added.get(reason, 0) + int(n)

    def out(self, n: int, unit: str | None = None) -> None:
        """Close the flow with `n` things; raises if the numbers do not tally."""
        self.n_out = int(n)
        self.unit_out = unit or self.unit
        expected = self.n_in - sum(self.dropped.values()) + sum(self.added.values())
        if expected != self.n_out:
            raise NounflowError(
                f"The counts of '{self.name}' do not tally: {self.n_in} in, "
                f"{sum(self.dropped.values())} dropped, {sum(self.added.values())} added, but {self.n_out} out",
                fix="this is a fault in nounflow, please report it with the stage's log",
            )

    def as_dict(self) -> dict[str, Any]:
        """The record as written to `*.counts.json`."""
        return {
            "name": self.name,
            "in": self.n_in,
            "unit": self.unit,
            "dropped": dict(self.dropped),
            "added": dict(self.added),
            "out": self.n_out,
            "unit_out": self.unit_out,
        }


class Counts:
    """All flows of one stage's job; `write` prints and records them."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.flows: list[Flow] = []

    def flow(self, name: str, n_in: int, unit: str) -> Flow:
        """Open a new flow."""
        self.flows.append(Flow(name, n_in, unit))
        return self.flows[-1]

    def as_dict(self) -> dict[str, Any]:
        """All flows; raises if one was never closed."""
        for flow in self.flows:
            if flow.n_out is None:
                flow.out(-1)
        return {"stage": self.stage, "flows": [flow.as_dict() for flow in self.flows]}

    def print(self) -> None:
        """Print all flows."""
        print_flows(self.as_dict()["flows"])

    def write(self, path: Path) -> None:
        """Print the counts and write them to `path` (by custom, the output's name + `.counts.json`)."""
        self.print()
        write_json(path, self.as_dict())
