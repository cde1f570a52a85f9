"""Names of emoji as nouns: of Unicode's list, and of the CLDR's annotations in the kinds of English.

They have no gloss and nothing above them: the shared rule of `imported` finds a parent by the last words. Names that
describe a picture ("cup with straw") or a state ("closed umbrella") are no names of things. Faces, signs, flags and
people are left out by their group, which only Unicode's list tells, or by their words.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nounflow.errors import DamagedFileError
from nounflow.files import read_json
from nounflow.inputs.emoji import ENGLISH, NAMES
from nounflow.nouns.imported import FoundNoun

_GROUPS = {  # group -> classes in which a parent is looked for, in this order
    "Animals & Nature": ("animal", "plant", "object", "phenomenon"),
    "Food & Drink": ("food", "artifact", "plant"),
    "Travel & Places": ("artifact", "object", "phenomenon", "location", "communication"),
    "Activities": ("artifact", "object", "plant", "communication"),
    "Objects": ("artifact", "communication", "possession", "object"),
}
_PICTOGRAPHS = 0x1F300  # signs of script, arrows and mathematics stand before them
_DESCRIBES = re.compile(
    r"""\b(with|without|in|on|of|at|and|for|behind|over|facing|showing|suit|button|face|symbol|sign|mark|flag|riding
    |oncoming|incoming|open|closed|empty|low|medium|high|small|large|old|broken|hatching|glowing|volume|input|no
    |left|right|horizontal|vertical|circle|square|diamond|heart)\b|\bmoon$|[A-Z]{2}""",
    re.VERBOSE,
)
_PEOPLE = re.compile(
    r"\b(man|men|woman|women|person|people|child|children|baby|cat|monkey|monster|head|hand|hands|thumbs)\b"
)


def read_emoji(folder: Path) -> Iterator[FoundNoun]:
    """The names in the groups of things."""
    for emoji in _table(folder / NAMES).values():
        classes = _GROUPS.get(str(emoji.get("group")))
        name = emoji.get("name", "")
        if not isinstance(name, str):
            raise _other_layout(folder / NAMES)
        if classes and not _DESCRIBES.search(name):
            yield FoundNoun((name,), classes=classes, compound=True)


def read_cldr(folder: Path) -> Iterator[FoundNoun]:
    """The common English names, and names in one kind of English, which mean the same as the common one."""
    common: dict[str, str] = {}
    for locale in ENGLISH:
        path = folder / locale / "annotations.json"
        for sign, annotation in _table(path, "annotations", "annotations").items():
            names = annotation.get("tts") or [""]
            if not isinstance(names, list) or not isinstance(name := names[0], str):
                raise _other_layout(path)
            like = common.setdefault(sign, name)
            shown = ord(sign[:1] or " ") >= _PICTOGRAPHS and not _DESCRIBES.search(f"{name} {like}")
            shown = shown and not _PEOPLE.search(f"{name} {like}")
            if name and shown:
                yield FoundNoun((name,), like="" if like == name else like, compound=True)


def _table(path: Path, *keys: str) -> dict[str, Any]:
    """A JSON file's table of tables, at some keys."""
    found = read_json(path, "file of emoji names", "fetch it again")
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
        raise _other_layout(path)
    return found


def _other_layout(path: Path) -> DamagedFileError:
    return DamagedFileError("The names of emoji have another layout", where=path, fix="fetch them again")
