"""Counts as a log shows them."""

from collections.abc import Iterable, Mapping
from typing import Any


def print_flows(flows: Iterable[Mapping[str, Any]]) -> None:
    """Print flows (see `nounflow.counts.Flow.as_dict`)."""
    for flow in flows:
        lines = [f"{flow['name']}: {flow['in']:,} {flow['unit']} in"]
        lines += [f"  - {n:,} dropped: {reason}" for reason, n in flow["dropped"].items()]
        lines += [f"  + {n:,} added: {reason}" for reason, n in flow["added"].items()]
        print("\n".join([*lines, f"  = {flow['out']:,} {flow['unit_out']} out"]), flush=True)
