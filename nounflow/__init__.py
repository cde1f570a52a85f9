"""Name what is in any photograph, with a classifier built from nothing but words.

>>> from nounflow import NounClassifier
>>> classifier = NounClassifier.load("results/models/small")
>>> classifier.name(["cat.jpg"])[0].nouns
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nounflow.classifier import NounClassifier
    from nounflow.errors import NounflowError

__all__ = ["NounClassifier", "NounflowError"]


def __getattr__(name: str) -> Any:
    """Export lazily: `import nounflow` loads no model library."""
    if name == "NounClassifier":
        from nounflow.classifier import NounClassifier

        return NounClassifier
    if name == "NounflowError":
        from nounflow.errors import NounflowError

        return NounflowError
    raise AttributeError(f"module 'nounflow' has no attribute {name!r}")
