"""A stranger's checkpoint: opened as data only, with all that is not understood about it said at once."""

import reprlib
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from nounflow.errors import DamagedFileError, MismatchError, NounflowError

_MOST_VALUES = 5_000_000  # the largest published file has some 100,000 nouns and as many numbers


def load_parts(path: Path) -> dict[str, Any]:
    """The file's dict; torch's restricted unpickler builds tensors and plain values only."""
    if not path.is_file():
        raise NounflowError("There is no such checkpoint", where=path, fix="check the path")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums
                if (damaged := archive.testzip()) is not None:
                    raise ValueError(f"{damaged} is not what was written")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols
            parts = torch.load(path, map_location="cpu", weights_only=True)
        _check_extent(parts)
    except UnpicklingError as error:
        raise DamagedFileError(
            f"The checkpoint is not opened: it {_unsafe(path)}",
            where=path,
            fix="take a file from a source that you trust; a published checkpoint holds tensors and plain values only",
        ) from error
    except Exception as error:  # zip, pickle and torch have many names for a broken file
        reason = str(error).strip().splitlines()
        raise DamagedFileError(
            f"The file is no readable checkpoint ({type(error).__name__}: {reason[0] if reason else ''})",
            where=path,
            fix="fetch it again",
        ) from error
    if not isinstance(parts, dict):
        raise DamagedFileError(f"The checkpoint holds {type(parts).__name__}, expected a dict", where=path)
    return parts


def _check_extent(parts: Any) -> None:
    """A few bytes can hold a list of the same list, and so on: what unfolds without end is no checkpoint."""
    waiting, seen = [parts], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES:
            raise ValueError(f"it unfolds to more than {_MOST_VALUES:,} values")
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value


def _unsafe(path: Path) -> str:
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # a pickle outside a zip, or one that cannot be looked through
        names = []
    return f"would run code ({', '.join(sorted(names))})" if names else "is no plain data, or is cut off"


class Problems:
    """What is not understood, collected so that all of it is said at once."""

    def __init__(self, ignore: set[str]) -> None:
        self._ignore, self._found = ignore, list[str]()
        self._ignorable: list[str] = []

    def add(self, name: str, what: str, ignorable: bool = False) -> None:
        """Note a problem, unless it may be ignored and is to be."""
        if ignorable and name in self._ignore:
            return
        self._found.append(f"{name}: {what}")
        self._ignorable += [name] if ignorable else []

    def keys(self, prefix: str, found: Mapping[str, Any], needed: set[str], others: set[str]) -> None:
        """Compare the names of a dict with those that are known."""
        for key in sorted(needed - set(found)):
            self.add(f"{prefix}{key}", "missing")
        for key in sorted(map(str, set(found) - needed - others)):
            self.add(f"{prefix}{key}", "unknown", ignorable=True)

    def values(self, prefix: str, found: Mapping[str, Any], only: Mapping[str, Any]) -> None:
        """Compare settings with the one value that each may have."""
        for key, allowed in only.items():
            if key in found and (type(found[key]) is not type(allowed) or found[key] != allowed):
                self.add(f"{prefix}{key}", f"found {short(found[key])}, only {allowed!r} is supported")

    def stop(self, path: Path) -> None:
        """Raise if anything was found."""
        if not self._found:
            return
        listed = self._found[0] if len(self._found) == 1 else "\n    " + "\n    ".join(self._found)
        flags = " ".join(f"--ignore {name}" for name in self._ignorable)
        raise MismatchError(
            f"The checkpoint is not one that can be imported: {listed}",
            where=path,
            fix=f"if you know that it does not change what the decoder computes: {flags}" if flags else None,
        )


def short(value: Any) -> str:
    """A value as a message can show it."""
    text = reprlib.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
