"""Putting an input in place: its files whole or not at all, its manifest last."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nounflow.atomic import atomic_folder
from nounflow.files import sha256_file
from nounflow.schemas.documents import write_document
from nounflow.schemas.inputs import InputManifest

FOLDER = "files"  # of fetched files, beside the manifest


@dataclass(frozen=True)
class InputOrigin:
    """Where an input came from."""

    name: str
    source: str
    version: str
    licence: str
    left_out: int = 0  # files of the source that are of no use here


def point_at(
    out: Path, origin: InputOrigin, folder: Path, files: Iterable[Path], wanted: Callable[[str], bool]
) -> InputManifest:
    """Write a manifest that points at the `wanted` ones of an installed folder's `files`; nothing is copied."""
    names = [path.relative_to(folder).as_posix() for path in files if path.is_file()]
    kept = list(filter(wanted, names))
    origin = replace(origin, left_out=len(names) - len(kept))
    manifest = _manifest(origin, str(folder.resolve()), folder, kept)
    write_document(out / "manifest.json", manifest)
    return manifest


def put_in_place(out: Path, fill: Callable[[Path], InputOrigin]) -> InputManifest:
    """Let `fill` put files into a new folder, move it to `out`/files, then write the manifest.

    If `fill` raises, what `out` held before stays as it was.
    """
    with atomic_folder(out / FOLDER) as folder:
        origin = fill(folder)
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        manifest = _manifest(origin, FOLDER, folder, files)
        (out / "manifest.json").unlink(missing_ok=True)  # it describes the files that are replaced now
    write_document(out / "manifest.json", manifest)
    return manifest


def _manifest(origin: InputOrigin, named: str, folder: Path, files: Iterable[str]) -> InputManifest:
    digests = {file: sha256_file(folder / file) for file in sorted(files)}
    megabytes = round(sum((folder / file).stat().st_size for file in digests) / 1e6, 2)
    return InputManifest(**asdict(origin), folder=named, files=digests, megabytes=megabytes)
