"""Names of image files that come from outside: one spelling at the door, and look-ups that do not mind another one."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterable
from typing import Any, TypeVar

Value = TypeVar("Value")


def plain_name(file: str) -> str:
    """The name as its folder lists it: no "./", no doubled slash. Accents stay as they are: it is opened by them."""
    return posixpath.normpath(file) if file else file


def same_name(file: str) -> str:
    """The spelling by which names of files are the same: also accents composed (macOS takes them apart)."""
    return unicodedata.normalize("NFC", plain_name(file))


class ByName(dict[str, Value]):
    """Image file -> value, in the order of putting; a name is found in any spelling (`same_name`)."""

    def __setitem__(self, file: str, value: Value) -> None:
        super().__setitem__(same_name(file), value)

    def __getitem__(self, file: str) -> Value:
        return super().__getitem__(same_name(file))

    def __contains__(self, file: object) -> bool:
        return super().__contains__(same_name(str(file)))

    def get(self, file: str, default: Any = None) -> Any:
        """See `dict.get`."""
        return super().get(same_name(file), default)


def listed(files: Iterable[str]) -> ByName[str]:
    """The files of a folder, to be looked up by `in_folder`."""
    names = ByName[str]()
    for file in files:
        names[file] = file
    return names


def in_folder(name: str, files: ByName[str]) -> str:
    r"""A name as the folder spells it, also where Windows wrote it (a\b.jpg); its plain form if the folder lacks it."""
    return files.get(name) or files.get(name.replace("\\", "/")) or plain_name(name)
