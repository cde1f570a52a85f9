"""Pictures for the page: always a fresh JPEG of what the file shows, never the file itself."""

import functools
import io
from collections.abc import Mapping
from pathlib import Path

from nounflow.annotation.pictures import read_picture
from nounflow.images import open_image

SIZES = {"screen": 1600, "full": 4096}  # longest side, pixels
_KEPT = 64  # JPEGs in memory: a few MB


class Photographs:
    """Serves pictures by their digest; whatever is not in the table does not exist."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        """`files`: sha256 -> file below `folder`."""
        self._folder, self._files = folder, files
        self.jpeg = functools.lru_cache(maxsize=_KEPT)(self._jpeg)

    def __contains__(self, digest: object) -> bool:
        return digest in self._files

    def _jpeg(self, digest: str, size: str) -> bytes:
        """The picture, upright and on white, at most `SIZES[size]` pixels long.

        Raises:
            ImageError: it cannot be shown; says why.
        """
        content = read_picture(self._folder, self._files[digest], digest)
        image = open_image(content)
        image.thumbnail((SIZES[size], SIZES[size]))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        return buffer.getvalue()
