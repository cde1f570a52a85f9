"""Print docs/api.md: what `import nounflow` offers, from signatures and docstrings.

python docs/make_api.py > docs/api.md
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import nounflow

HEAD = """# The Python API

What `import nounflow` offers. Nothing else is promised to stay as it is between versions. Importing loads no model
library and changes nothing of the process.

    from nounflow import NounClassifier, NounflowError

    try:
        classifier = NounClassifier.load("results/models/small")
    except NounflowError as error:
        print(error)  # what happened, where, and the way out
    else:
        for naming in classifier.name(["cat.jpg", "dog.jpg"], top_k=5):
            print(naming.file, naming.nouns, naming.probabilities, naming.problem)

<!-- Written by docs/make_api.py from signatures and docstrings, do not edit below. -->
"""

NEXT = """
**Where to go next:** [predictions](predictions.md), the same from the command line; [decoder](decoder.md), what a
run's folder holds; [troubleshooting](troubleshooting.md), the messages of these errors."""


def pages() -> Iterator[str]:
    """The parts of the page."""
    yield HEAD
    for name in nounflow.__all__:
        yield from of_class(getattr(nounflow, name))
    yield NEXT


def of_class(cls: Any) -> Iterator[str]:
    """Heading, docstring, fields and own public methods of a class."""
    base = cls.__base__.__name__
    yield f"\n## `{cls.__name__}`{f', a kind of `{base}`' if issubclass(cls, Exception) else ''}\n"
    yield prose(cls)
    if dataclasses.is_dataclass(cls):
        yield "\n| field | type |\n|---|---|"
        yield from (
            f"| `{field.name}` | `{short(inspect.formatannotation(field.type))}` |" for field in dataclasses.fields(cls)
        )
    if hasattr(cls, "model_fields"):
        yield "\n| field | default | meaning |\n|---|---|---|"
        fields = cls.model_fields.items()
        yield from (f"| `{name}` | `{field.default!r}` | {field.description} |" for name, field in fields)
    for name, member in vars(cls).items():
        if not name.startswith("_") and callable(function := getattr(cls, name)) and member.__doc__:
            yield f"\n### `{cls.__name__}.{name}`\n\n```python\n{name}{short(str(inspect.signature(function)))}\n```\n"
            yield prose(function)


def short(types: str) -> str:
    """Types without the modules that they come from, and without quotes."""
    return re.sub(r"\b(?:[a-z_]\w*\.)+(\w+)", r"\1", re.sub(r"(: |-> )'([^']*)'", r"\1\2", types))


def prose(documented: Any) -> str:
    """A docstring, its sections `Args:` and `Raises:` as lists."""
    text = inspect.getdoc(documented) or ""
    text = re.sub(r"^(Args|Raises):$", r"\1:\n", text, flags=re.MULTILINE)
    return re.sub(r"^    (\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)


if __name__ == "__main__":
    print("\n".join(pages()))
