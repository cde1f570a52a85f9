"""Images in whatever form a Python program holds them."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from nounflow.errors import NounflowError
from nounflow.images import ImageError, list_images, open_image, to_rgb, upright

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | np.ndarray"
)
_TAKEN = (
    "a path, bytes, a binary file object, a PIL image, a numpy array [height, width(, 1, 3 or 4)] or a torch tensor "
    "[1, 3 or 4, height, width], of uint8, or of floats from 0 to 1"
)


def is_image(value: object) -> bool:
    """Whether `value` is one image, not several."""
    if isinstance(value, str | os.PathLike):
        return not os.path.isdir(value)  # noqa: PTH112  # False, too, for an empty name and one that no file can have
    if isinstance(value, bytes | bytearray | memoryview | Image.Image) or hasattr(value, "read"):
        return True
    return hasattr(value, "ndim") and hasattr(value, "dtype") and value.ndim <= 3


def images_of(source: Any) -> Any:
    """The images of a folder, or those that were given.

    Raises:
        NounflowError: there is no such folder.
        TypeError: it is nothing that holds images.
    """
    if isinstance(source, str | os.PathLike):
        folder = Path(source)
        if not folder.is_dir():
            raise NounflowError("There is no such folder", where=folder, fix="check the path")
        return [folder / name for name in list_images(folder, any_name=True)]
    if not isinstance(source, Iterable) or isinstance(source, Mapping):
        as_image(source)  # says what is taken
    return source


def title_of(source: object) -> str:
    """What an answer calls an image: its path, a file object's name, else nothing."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return name if isinstance(name, str) else ""


def as_image(source: Any) -> Image.Image:
    """One image, upright, RGB on white.

    Raises:
        ImageError: it cannot be read.
        TypeError: it is nothing that holds an image.
    """
    if isinstance(source, str | os.PathLike):
        if isinstance(source, str) and source.lower().startswith(("http://", "https://", "data:")):
            raise ImageError("no address is fetched and no data: URL read; give a file or its bytes")
        return open_image(Path(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return open_image(bytes(source))
    if isinstance(source, Image.Image):
        try:
            return to_rgb(upright(source))
        except Exception as error:  # one that is opened is not yet decoded
            raise ImageError(f"broken: {error}") from error
    if isinstance(source, io.TextIOBase):
        raise TypeError(f"A text file is no image; open it with mode 'rb'. Taken are {_TAKEN}")
    if hasattr(source, "read"):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # a stream, which is read from where it is
            source.seek(0)
        try:
            content = source.read()
        except (OSError, ValueError) as error:  # a broken connection, a closed file
            raise ImageError(f"broken: {error}") from error
        if isinstance(content, bytes):
            return open_image(content)
    elif hasattr(source, "detach"):  # a torch tensor, channels first
        array = source.detach().cpu().float().numpy() if source.is_floating_point() else source.cpu().numpy()
        if array.ndim == 3 and array.shape[0] not in (1, 3, 4):
            raise TypeError(f"A tensor of shape {list(array.shape)} is no image. Taken are {_TAKEN}")
        return _of_array(np.moveaxis(array, 0, -1) if array.ndim == 3 else array)
    elif isinstance(source, np.ndarray):
        return _of_array(source)
    raise TypeError(f"{type(source).__name__} is no image. Taken are {_TAKEN}")


def _of_array(array: np.ndarray[Any, Any]) -> Image.Image:
    """uint8 as it is, floats from 0 to 1; [h, w] or [h, w, 1, 3 or 4]."""
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (3, 4)) or 0 in array.shape:
        raise TypeError(f"An array of shape {list(array.shape)} is no image. Taken are {_TAKEN}")
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise TypeError(f"An image of floats has values outside 0 to 1. Taken are {_TAKEN}")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise TypeError(f"An array of {array.dtype} is no image. Taken are {_TAKEN}")
    return to_rgb(Image.fromarray(np.ascontiguousarray(array)))


def check_counts(**counts: object) -> None:
    """Refuse what is no whole number from 1 up, as an argument by its name.

    Raises:
        TypeError: naming the first such argument.
    """
    for name, value in counts.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
            raise TypeError(f"`{name}` is a whole number from 1 up, not {value!r}")
