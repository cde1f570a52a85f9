"""Entries of registries by their place in the code, "nounflow.module:name": what is not used is never imported.

A registry is a table in a light module: names and such places. So config and rules know all names without the libraries
behind them, and a stage's code fingerprint follows the entries in use only (`nounflow.fingerprint`).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def resolve(place: str) -> Any:
    """What stands at "nounflow.module:name"."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
