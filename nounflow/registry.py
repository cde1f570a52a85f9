"""Registries: tables of entries by name in light modules, with places in the code, "nounflow.module:name".

Config and rules know all names without the libraries behind them; what is not used is never imported. A table is no
part of a stage's code fingerprint, for another entry changes no result of this one: a rule names the places of the
entries that it uses (`nounflow.fingerprint`).
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

Entry = TypeVar("Entry")
Registry = Mapping[str, Entry]  # annotate a table with it


def resolve(place: str) -> Any:
    """What stands at "nounflow.module:name"."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
