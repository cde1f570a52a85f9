"""What the command lines of scores and report are told about image sets. Light to import."""

from pydantic import RootModel


class Paths(RootModel[dict[str, str | None]]):
    """Image set -> a path, or null."""
