"""Unpacking: only regular files, only below the destination, only as much as is allowed."""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from nounflow.errors import DamagedFileError, NounflowError


def unpack_tar(archive: tarfile.TarFile, prefix: str, wanted: Callable[[str], bool], destination: Path) -> int:
    """Write the regular files below `prefix` whose remaining path is `wanted`; returns how many were left out.

    Works on streams (mode "r|*"): each member is looked at once.
    """
    left_out = 0
    for member in archive:
        name = member.name.removeprefix("./")
        if not member.isfile() or not name.startswith(f"{prefix}/"):
            continue
        name = name.removeprefix(f"{prefix}/")
        if not wanted(name):
            left_out += 1
            continue
        source = archive.extractfile(member)
        assert source is not None
        _write(source, destination / safe_name(name, archive.name))
    return left_out


def unpack_zip(path: Path, destination: Path, max_bytes: int) -> int:
    """Unpack a zip file; returns how many files.

    Raises DamagedFileError for a broken archive or one that reaches outside `destination`, NounflowError for one that
    unpacks to more than `max_bytes`. Names and sizes are checked before the first byte is written.
    """
    damaged = "fetch it again; if that does not help, the file on the server is damaged"
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            names = [safe_name(member.filename, path) for member in members]
            size = sum(member.file_size for member in members)
            if size > max_bytes:
                raise NounflowError(
                    f"The archive unpacks to {size / 1e6:,.0f} MB, more than the {max_bytes / 1e6:,.0f} MB allowed",
                    where=path,
                    fix="unpack it by hand if you trust it, and point `folder:` under `image_sets` at the result",
                )
            for member, name in zip(members, names, strict=True):
                _write(archive.open(member), destination / name)  # reads file_size bytes at most
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DamagedFileError(f"The zip file is damaged or cut off ({error})", where=path, fix=damaged) from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
        raise DamagedFileError(f"The zip file cannot be unpacked ({error})", where=path, fix=damaged) from error
    return len(names)


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, open(target, "wb") as handle:
        shutil.copyfileobj(source, handle)


def safe_name(name: str, archive: object) -> PurePosixPath:
    """An archive member's path; DamagedFileError if it would lie outside the folder it is unpacked into."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise DamagedFileError(
            f"The archive holds an entry that reaches outside its folder: {name!r}; nothing was unpacked",
            where=archive,
            fix="do not use this file; fetch it again from where it is published",
        )
    return path
