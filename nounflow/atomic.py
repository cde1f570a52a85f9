"""Atomic writes: a killed job leaves nothing that looks finished."""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nounflow.errors import NounflowError


@contextlib.contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder under `target` into a message with a way out."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NounflowError(
                "No space left on the disk; what was being written was removed",
                where=target,
                fix="free some space (results/ can be a link to a larger disk), then run the same command again",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG):
            raise NounflowError(
                f"The folder cannot be written ({error.strerror})",
                where=target,
                fix="check its permissions, or work in another folder",
            ) from error
        raise


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path`; on success it is fsynced and renamed over `path`."""
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _set_mode(temporary, 0o666)  # mkstemp makes private files
            _fsync(temporary)
            temporary.replace(path)
            _fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour folder of `path`; on success it replaces `path` whole."""
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
        try:
            yield temporary
            _set_mode(temporary, 0o777)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _fsync(file)
            if path.exists():
                shutil.rmtree(path)
            temporary.rename(path)
            _fsync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path, older_than_s: float = 86_400) -> list[Path]:
    """Remove the temporary neighbours that `kill -9` has left below a folder; younger ones may be somebody's work."""
    removed = []
    for path in sorted(Path(folder).rglob(".*.partial")):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime < older_than_s:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed.append(path)
    return removed


_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # what was written may not be there


def _fsync(path: Path) -> None:
    """As far as the file system can: some cannot for folders, some (by FUSE) for nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _LOST:
            raise


def _set_mode(path: Path, mode: int) -> None:
    """What the umask leaves of a mode; object storage, SMB and exFAT know none."""
    mask = os.umask(0)
    os.umask(mask)
    with contextlib.suppress(OSError):
        path.chmod(mode & ~mask)
