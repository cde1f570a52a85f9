"""Name what is in any photograph, with a classifier built from nothing but words.

>>> from nounflow import NounClassifier
>>> classifier = NounClassifier.load("results/models/small")
>>> classifier.name(["cat.jpg"])[0].nouns
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nounflow.classifier import NounClassifier
    from nounflow.config.generation import GenerationConfig
    from nounflow.errors import DamagedFileError, MismatchError, NounflowError
    from nounflow.namings import Naming

__all__ = ["DamagedFileError", "GenerationConfig", "MismatchError", "Naming", "NounClassifier", "NounflowError"]

_MODULES = {
    "classifier": ("NounClassifier",),
    "config.generation": ("GenerationConfig",),
    "errors": ("DamagedFileError", "MismatchError", "NounflowError"),
    "namings": ("Naming",),
}


def __getattr__(name: str) -> Any:
    """Export lazily: `import nounflow` loads no model library."""
    from importlib import import_module

    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"nounflow.{module}"), name)
    raise AttributeError(f"module 'nounflow' has no attribute {name!r}")
