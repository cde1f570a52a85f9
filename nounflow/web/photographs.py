"""Pictures for the page: always a fresh JPEG of what the file shows, never the file itself."""

import functools
from collections.abc import Mapping
from pathlib import Path

from nounflow.annotation.pictures import read_picture

SIZES = {"screen": 1600, "full": 4096}  # longest side, pixels
_KEPT = 64  # JPEGs in memory: a few MB
_QUALITY = 90  # of JPEG


class Photographs:
    """Serves pictures, with a frame around the box that is meant; whatever is not in the table does not exist."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        """`files`: place (see `schemas.decisions`) -> file below `folder`."""
        self._folder, self._files = folder, files
        self.jpeg = functools.lru_cache(maxsize=_KEPT)(self._jpeg)

    def __contains__(self, place: object) -> bool:
        return place in self._files

    def _jpeg(self, place: str, size: str) -> bytes:
        """At most `SIZES[size]` pixels long; ImageError if it cannot be shown, and why."""
        return read_picture(self._folder, self._files[place], place, SIZES[size], _QUALITY)
