"""The version of this code."""

from __future__ import annotations

import functools
import tomllib
from importlib import metadata
from pathlib import Path


@functools.cache
def nounflow_version() -> str:
    """As pyproject.toml beside the package says, for a folder that is not installed; else as the installation does."""
    try:
        text = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text).get("project", {})
        if project.get("name") == "nounflow":
            return str(project["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        pass
    try:
        return metadata.version("nounflow")
    except metadata.PackageNotFoundError:
        return "unknown"
