"""What the command lines of scores and report are told about image sets. Light to import."""

from __future__ import annotations

from pydantic import RootModel


class Paths(RootModel[dict[str, str | None]]):
    """Image set -> a path, or null."""
