"""Pictures by what is in them: the sha256 of a file's bytes, and no file outside the image folder."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import ImageDraw

from nounflow.images import ImageError, list_images, open_image
from nounflow.inputs import images_folder
from nounflow.progress import Progress
from nounflow.schemas.decisions import asked_at
from nounflow.schemas.documents import read_document
from nounflow.schemas.inputs import InputManifest


class Digests(NamedTuple):
    """Which file of a folder holds which picture, and why some have none."""

    folder: Path
    images: dict[str, str]  # file, relative to the folder -> sha256
    problems: dict[str, str]  # file -> reason


def digest_images(place: Path, files: Iterable[str] | None = None, tell: bool = True) -> Digests:
    """Digests of the files of an image set; None: of all images in its folder.

    Args:
        place: the folder, or the manifest of a fetched source, which knows the digests already.
        tell: print which have none.
    """
    folder, known = images_folder(Path(place)), dict[str, str]()
    if folder != Path(place):
        known = read_document(InputManifest, place, "manifest of a fetched input").files
    images: dict[str, str] = {}
    problems: dict[str, str] = {}
    wanted = sorted(set(list_images(folder) if files is None else files))
    with Progress("pictures", len(wanted), "files") as progress:
        for file in wanted:
            try:
                path = inside(folder, file)
                images[file] = known[file] if file in known else hashlib.sha256(path.read_bytes()).hexdigest()
            except ImageError as problem:
                problems[file] = str(problem)
            except OSError as error:
                problems[file] = f"cannot be read: {error.strerror}"
            progress.advance(1)
    for file, reason in problems.items() if tell else ():
        print(f"left out: {file!a}: {reason}", flush=True)
    return Digests(folder, images, problems)


def inside(folder: Path, file: str) -> Path:
    """The real path of a file, with every link followed.

    Raises:
        ImageError: there is no such file, or it lies outside `folder`.
    """
    try:
        root = Path(folder).resolve(strict=True)
        path = (root / file).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # gone; a NUL in the name; links in a circle
        raise ImageError("the file does not exist") from None
    if not path.is_relative_to(root) or not path.is_file():
        raise ImageError("lies outside the image folder")
    return path


def read_picture(folder: Path, file: str, place: str, most_side: int, quality: int) -> bytes:
    """A fresh JPEG of what is judged: upright, on white, at most so many pixels long, a box that is meant framed.

    Raises:
        ImageError: the file is gone, lies outside the folder, holds something else now, or cannot be shown.
    """
    try:
        content = inside(folder, file).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from None
    asked = asked_at(place)
    if hashlib.sha256(content).hexdigest() != asked["image"]:
        raise ImageError("the file has changed since the start")
    image = open_image(content)
    if box := asked.get("box"):
        pen, line = ImageDraw.Draw(image), max(2, round(max(image.size) / min(150, most_side / 2)))
        for width, colour in ((2 * line, "white"), (line, "#d1242f")):  # around the box, so that it hides nothing of it
            corners = (box[0] - width, box[1] - width, max(box[2], box[0]) + width, max(box[3], box[1]) + width)
            pen.rectangle(corners, outline=colour, width=line)
    image.thumbnail((most_side, most_side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
