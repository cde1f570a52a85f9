"""Photographs with free-form names: the stamps of Tux Paint, installed or from a Debian package."""

import shutil
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.inputs import apt
from nounflow.inputs.placing import InputOrigin, point_at, put_in_place
from nounflow.inputs.transfer import run_program
from nounflow.schemas.inputs import InputManifest

INSTALLED = Path("/usr/share/tuxpaint/stamps")
PACKAGE = "tuxpaint-stamps-default"
LICENCE = "GPL-2"

_WITNESS = "animals/amphibians/frog.png"  # Tux Paint may be installed without its stamps
_OTHERWISE = (
    "or use photographs of your own: in the config, replace `source: tuxpaint` under `image_sets` "
    "by `folder: PATH` (and `labels:` by your label file, or leave it out)"
)


def fetch_tuxpaint(out: Path, cache: Path, installed: Path = INSTALLED) -> InputManifest:
    """Find or fetch the stamps and write their manifest; sounds and vector drawings are left out."""
    if (installed / _WITNESS).is_file():
        version = _installed_version(installed)
        print(f"Tux Paint's stamps {version}: installed, {installed}; nothing is fetched", flush=True)
        origin = InputOrigin("tuxpaint", "installed", version, LICENCE)
        return point_at(out, origin, installed, installed.rglob("*"), _wanted)
    missing = apt.missing_programs()
    if missing:
        raise NounflowError(
            f"Tux Paint's stamps are not installed, and there is no {' and no '.join(missing)} to fetch them with",
            where=installed,
            fix=f"on Debian or Ubuntu install {PACKAGE}; elsewhere unpack that package's stamps there; {_OTHERWISE}",
        )
    try:
        return put_in_place(out, lambda folder: _from_apt(folder, cache))
    except NounflowError as error:
        error.fix = f"{error.fix}; {_OTHERWISE}" if error.fix else _OTHERWISE
        raise


def _from_apt(folder: Path, cache: Path) -> InputOrigin:
    package, left_out = apt.fetch(PACKAGE, cache, INSTALLED, _wanted, folder)
    if not (folder / _WITNESS).is_file():
        raise NounflowError(f"The package {package} lacks {_WITNESS}: its layout has changed")
    return InputOrigin("tuxpaint", f"package {package}", package.version, LICENCE, left_out)


def _wanted(file: str) -> bool:
    return file.lower().endswith((".png", ".txt"))


def _installed_version(installed: Path) -> str:
    if installed != INSTALLED or shutil.which("dpkg-query") is None:
        return "unknown"
    status, output = run_program(["dpkg-query", "-W", "-f", "${Version}", PACKAGE], installed)
    return "unknown" if status else output.strip()
