"""Files out of Debian packages without root and without installing: apt with a state of its own.

`apt-get update` into a private folder, `apt-get download`, and `dpkg-deb --fsys-tarfile`. The system's apt is only
read (sources, keys, proxies), so this also works for a user without rights and beside a running apt.
"""

import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.inputs.archives import unpack_tar
from nounflow.inputs.transfer import TransferError, last_line, retried, run_program, work_folder

LISTS_SECONDS = 24 * 3600  # age up to which package lists are used again
LISTS_MEGABYTES = 10  # of Debian 12's main archive; apt cannot say beforehand
_STAMP = "lists.fetched"  # its time is that of the lists


@dataclass(frozen=True)
class Package:
    """A package that apt can download."""

    name: str
    version: str
    file: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def missing_programs() -> list[str]:
    """Which of the programs that this module needs are not on PATH."""
    return [program for program in ("apt-get", "dpkg-deb") if shutil.which(program) is None]


def fetch(
    name: str, cache: Path, prefix: Path, wanted: Callable[[str], bool], destination: Path
) -> tuple[Package, int]:
    """Download a package and write those of its files below `prefix` whose remaining path is `wanted`.

    Several processes may share `cache` (package lists). Network failures are tried again, with fresh lists.

    Returns:
        The package, and how many files below `prefix` were left out.

    Raises:
        NounflowError: the package is not to be had; with apt's last line.
    """
    with work_folder(cache, name) as work:
        package = retried(lambda: _download(name, cache.resolve(), work))
        return package, _unpack(work / package.file, prefix, wanted, destination)


def _unpack(deb: Path, prefix: Path, wanted: Callable[[str], bool], destination: Path) -> int:
    with tempfile.TemporaryFile() as said:
        command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process:
            assert process.stdout is not None
            problem = ""
            try:
                with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                    left_out = unpack_tar(archive, prefix.as_posix().lstrip("/"), wanted, destination)
            except (tarfile.TarError, EOFError) as error:
                problem = str(error)
            while process.stdout.read(1 << 20):  # what follows the archive's end, so that dpkg-deb ends well
                pass
        if process.returncode or problem:
            said.seek(0)
            words = last_line(said.read().decode("utf-8", errors="replace")) if process.returncode else problem
            raise DamagedFileError(
                f"The package cannot be unpacked ({words})", where=deb.name, fix="run the same command again"
            )
    return left_out


def _download(name: str, cache: Path, work: Path) -> Package:
    package = _locate(name, cache)
    print(f"fetching the package {package}: {package.bytes / 1e6:.1f} MB", flush=True)
    start = time.monotonic()
    status, output = run_program([*_apt(cache), "download", name], work, echo=True)
    deb = work / package.file
    if status or not deb.is_file():
        (cache / _STAMP).unlink(missing_ok=True)  # lists that name a version since replaced lead nowhere
        raise TransferError(
            f"apt could not download {name}: {last_line(output)}", fix="check the network, then run the command again"
        )
    print(f"fetched {deb.stat().st_size / 1e6:.1f} MB in {time.monotonic() - start:.1f} s", flush=True)
    return package


def _locate(name: str, cache: Path) -> Package:
    """Find the package in the shared lists, which are fetched if they are missing, old or do not name it."""
    with FileLock(cache / "lists.lock"):
        stamp = cache / _STAMP
        fresh = stamp.is_file() and 0 <= time.time() - stamp.stat().st_mtime < LISTS_SECONDS
        if fresh and (package := _look_up(name, cache)):
            return package
        status, output = _update(cache)
        if package := _look_up(name, cache):  # a third party's source may have failed; what is needed is there
            stamp.touch()
            return package
    if status:
        raise TransferError(
            f"apt could not fetch its package lists: {last_line(output)}",
            fix="check the network and the sources in /etc/apt, then run the command again",
        )
    raise NounflowError(
        f"apt's sources on this machine have no package {name}", fix="add Debian's or Ubuntu's full archive to /etc/apt"
    )


def _update(cache: Path) -> tuple[int, str]:
    print(f"fetching apt's package lists: about {LISTS_MEGABYTES} MB for Debian alone", flush=True)
    (cache / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    status, output = run_program([*_apt(cache), "update"], cache, echo=True)
    size = sum(path.stat().st_size for path in (cache / "lists").iterdir() if path.is_file())
    print(f"package lists: {size / 1e6:.1f} MB on disk, {time.monotonic() - start:.1f} s", flush=True)
    return status, output


def _look_up(name: str, cache: Path) -> Package | None:
    status, output = run_program([*_apt(cache), "download", "--print-uris", name], cache)
    for line in output.splitlines() if status == 0 else ():
        match line.split():
            case [url, file, size, *_] if url.startswith("'") and file.endswith(".deb") and size.isdigit():
                return Package(name, unquote(file).split("_")[1], file, int(size))
    return None


def _apt(cache: Path) -> list[str]:
    """apt-get with its lists below `cache`; its package cache stays in memory, where no other process can spoil it."""
    options = {
        "Dir::State": cache,
        "Dir::State::Lists": cache / "lists",
        "Dir::Cache": cache,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",  # root would hand the folder to the user _apt; others have no use for it
        "APT::Update::Error-Mode": "any",  # else a failed update ends with status 0
        "Acquire::Languages": "none",
    }
    return ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
