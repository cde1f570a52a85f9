"""Which files of a folder are images. What is left out is named on stderr, once."""

import mimetypes
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.escaping import escaped, is_utf8

EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif",
    ".jfif", ".jpe", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo", ".apng", ".dib", ".heics", ".heifs", ".hif", ".avifs",
    ".ppm", ".pgm", ".pbm", ".pnm", ".tga",
)  # fmt: skip
# Pictures that cannot be read. They are listed all the same, so that each is reported by name and not passed over.
UNREAD = (".jxl", ".jp2", ".svg", ".psd", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_said: set[str] = set()


def list_images(folder: Path, *, any_name: bool = False, may_be_none: bool = False) -> list[str]:
    """Image files below `folder`, as sorted relative POSIX paths; hidden files and folders are passed over.

    Linked folders are entered once each. What cannot be entered or read is named on stderr, and what looks like a
    picture but for its ending is counted there.

    Args:
        any_name: also names that are no UTF-8, which no document of a results folder can hold.
        may_be_none: it may be empty.

    Raises:
        NounflowError: there is no folder, or it holds no images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NounflowError("The image folder does not exist", where=folder, fix="check the path under `image_sets`")
    suffixes, found = {*EXTENSIONS, *UNREAD}, []
    others: Counter[str] = Counter()
    for path in _files(folder):
        name, suffix = path.relative_to(folder).as_posix(), path.suffix.lower()
        try:
            if suffix not in suffixes:
                if path.is_file() and _looks_like_an_image(path):
                    others[suffix or "none"] += 1
            elif not (any_name or is_utf8(name)):
                _leave_out(path, "its name is no UTF-8; rename it")
            elif path.is_file():
                found.append(name)
        except PermissionError as error:  # of the folder: its files cannot even be looked at
            _leave_out(path.parent, error)
        except OSError as error:
            _leave_out(path, error)
    if others:
        endings = ", ".join(f"{ending} ({n:,})" for ending, n in sorted(others.items()))
        _say(f"{escaped(str(folder))}: files that look like pictures and are not taken, by their endings: {endings}")
    if not found and not may_be_none:
        raise NounflowError(
            "The folder holds no images",
            where=folder,
            fix=f"put files ending in {', '.join(EXTENSIONS)} there, or name another folder",
        )
    return sorted(found)


def _files(folder: Path) -> Iterator[Path]:
    """Files that are not hidden, also below links to folders, of which each is entered once."""
    entered: set[tuple[int, int]] = set()
    walk = os.walk(folder, followlinks=True, onerror=lambda error: _leave_out(Path(error.filename), error))
    for place, folders, files in walk:
        try:
            status = Path(place).stat()
        except OSError as error:
            _leave_out(Path(place), error)
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in entered:
            _leave_out(Path(place), "a link to a folder that was entered already")
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        visible = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(visible, key=lambda name: (Path(place, name).is_symlink(), name))  # links last
        yield from (Path(place, name) for name in files if not name.startswith("."))


def _looks_like_an_image(path: Path) -> bool:
    if (mimetypes.guess_type(path.name)[0] or "").startswith("image/"):
        return True
    if path.suffix and mimetypes.guess_type(path.name)[0]:
        return False
    with open(path, "rb") as handle:
        head = handle.read(12)
    return head.startswith(_MAGIC) or head[8:12] in (b"WEBP", b"heic", b"avif", b"mif1")


def _leave_out(path: Path, reason: str | OSError) -> None:
    if isinstance(reason, OSError):
        reason = reason.strerror or str(reason)
    _say(f"left out: {escaped(str(path))} ({reason})")


def _say(line: str) -> None:
    """Once in a process: the workflow looks at its folders several times."""
    if line not in _said:
        _said.add(line)
        print(line, file=sys.stderr, flush=True)
