"""Counts in, counts out: every stage says what it took, what it dropped and why, and it must tally."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nounflow.errors import NounflowError
from nounflow.files import write_json
from nounflow.progress import print_flows


class Flow(BaseModel):
    """One stream of things through a stage: so many in, so many dropped or added for a reason, so many out."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    name: str
    n_in: int = Field(alias="in")
    unit: str
    dropped: dict[str, int] = {}
    added: dict[str, int] = {}
    n_out: int | None = Field(None, alias="out")
    unit_out: str = ""

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


class Counts(BaseModel):
    """All flows of one stage's job; `write` prints and records them."""

    stage: str
    flows: list[Flow] = []

    def __init__(self, stage: str, flows: Sequence[Any] = ()) -> None:
        super().__init__(stage=stage, flows=list(flows))

    def flow(self, name: str, n_in: int, unit: str) -> Flow:
        """Open a new flow."""
        self.flows.append(Flow(name=name, n_in=int(n_in), unit=unit))
        return self.flows[-1]

    def as_dict(self) -> dict[str, Any]:
        """The record as written to `*.counts.json`; raises if a flow was never closed."""
        for flow in self.flows:
            if flow.n_out is None:
                flow.out(-1)
        return self.model_dump()

    def print(self) -> None:
        """Print all flows."""
        print_flows(self.as_dict()["flows"])

    def write(self, path: Path) -> None:
        """Print the counts and write them to `path` (by custom, the output's name + `.counts.json`)."""
        self.print()
        write_json(path, self.as_dict())
