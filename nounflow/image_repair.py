"""Image files that other viewers show although a part of them is amiss."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_UNSEEN = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf")  # chunks that say nothing of the picture's pixels
_JPEG, _END = b"\xff\xd8", b"\xff\xd9"
_NOISE = b"\x5a" * 256  # more scan data: it changes the pixels of a picture that is cut off, and no others


def repaired(content: bytes, decode: Callable[[Image.Image], Image.Image]) -> tuple[Image.Image, str] | None:
    """The decoded image of a file that Pillow refuses, and what was amiss with it; None if there is no help."""
    try:
        if content.startswith(_PNG):
            return _decoded(_without_unseen(content), decode), "its comments or its colour profile cannot be read"
        if content.startswith(_JPEG):
            image = _decoded(content + _END, decode)
            if np.array_equal(np.asarray(image), np.asarray(_decoded(content + _NOISE + _END, decode))):
                return image, "its end mark is missing"
    except Exception:  # a damaged file can make a decoder raise anything
        return None
    return None


def _decoded(content: bytes, decode: Callable[[Image.Image], Image.Image]) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        return decode(image)


def _without_unseen(content: bytes) -> bytes:
    """A PNG without what is long and not seen; chunk: length, kind, data, checksum."""
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] not in _UNSEEN:
            kept.append(content[at:end])
        at = end
    return b"".join(kept)
