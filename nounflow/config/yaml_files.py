"""Config files as they are written."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from nounflow.errors import NounflowError


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses a key that stands twice: YAML takes the last one without a word, and a whole section may be lost so."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        keys = Counter(key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode))
        for name, times in keys.items():
            if times > 1:
                raise NounflowError(
                    f"The key `{name}` stands {times} times where it can stand once",
                    where=f"{self.name}, from line {node.start_mark.line + 1}",
                    fix="join what stands below them, or give one another name; YAML alone would take the last",
                )
        return node


def read_keys(path: Path) -> dict[str, Any]:
    """The keys of a YAML file, as far as YAML goes.

    Raises:
        NounflowError: it is missing, no YAML, or a key stands twice.
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.load(file, _Loader) or {}
    except OSError as error:
        raise NounflowError(f"The config file cannot be read ({error.strerror})", where=path) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # no UTF-8, a number of 5,000 digits
        raise NounflowError(f"The config file is no YAML ({error})", where=path) from None
    if not isinstance(found, dict):
        raise NounflowError("The config file holds no keys", where=path, fix="write it as `key: value`")
    return found
